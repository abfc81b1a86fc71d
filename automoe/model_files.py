"""Name the files that describe a model and its bundle, which is read before torch is imported."""

DESCRIPTION = "model.json"
ONNX = "onnx"  # the folder of a bundle within the folder of its model
CORPUS = "corpus.json"  # which text a model was trained on
