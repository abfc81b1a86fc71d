"""In the place of TensorRT in a worker, and of the CUDA runtime; this folder is on its path."""

import sys

from support.imitated_tensorrt import ImitatedCuda, imitated_tensorrt

cuda = ImitatedCuda()
vars(sys.modules["__main__"])["open_cuda"] = lambda: cuda
globals().update(vars(imitated_tensorrt("tensorrt 10.3.0", cuda)))
