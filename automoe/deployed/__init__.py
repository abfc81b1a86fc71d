"""This package runs an exported model. It needs numpy, onnxruntime and sentencepiece alone.

A bundle holds it as a program, so that it translates where AutoMoE is not installed. Therefore it
imports nothing else of AutoMoE.
"""
