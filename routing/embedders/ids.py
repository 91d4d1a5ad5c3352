"""The embedders' ids: stored with every router that was fit on their vectors, so never reused."""

#: MiniLM with int8 weights; its last digits depend on whether the CPU has VNNI.
MINILM = "all-MiniLM-L6-v2/onnx-int8/256"
#: What sentence-transformers computes, to 1e-6: routers fit on its vectors keep their scores.
MINILM_FP32 = "all-MiniLM-L6-v2/sentence-transformers/256"
#: The last part counts changes of the vectors; the build refuses to make others under this name.
STATIC = "all-MiniLM-L6-v2/static-256/1"
