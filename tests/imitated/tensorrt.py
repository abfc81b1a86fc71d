"""In the place of TensorRT in a worker, and of the CUDA runtime; this folder is on its path."""

from support.imitated_tensorrt import ImitatedCuda, imitated_tensorrt

from profilers.workers.program.tensorrt import worker

cuda = ImitatedCuda()
vars(worker)["open_cuda"] = lambda runtime: cuda
globals().update(vars(imitated_tensorrt("tensorrt 10.3.0", cuda)))
