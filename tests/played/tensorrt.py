"""In the place of TensorRT in a worker, and of the CUDA runtime; this folder is on its path."""

import sys

from support.fake_tensorrt import FakeCuda, fake_tensorrt

cuda = FakeCuda()
vars(sys.modules["__main__"])["open_cuda"] = lambda: cuda
globals().update(vars(fake_tensorrt("tensorrt 10.3.0", cuda)))
