"""TensorFlow.js graph models, run by TensorFlow: what ours are compared with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kernel_space_jax.weights.tfjs import read_constants


def tensorflow_program(path: Path) -> Callable[[np.ndarray], np.ndarray]:
    """y (N, H, W, 3) -> x, by the graph and its constants, which lie in the shards."""
    import tensorflow as tf
    from google.protobuf import json_format

    nodes, constants = read_constants(path)
    graph = json_format.ParseDict(
        nodes, tf.compat.v1.GraphDef(), ignore_unknown_fields=True
    )
    for node in graph.node:
        if node.op == "Const":
            tensor = tf.make_tensor_proto(constants[node.name])
            node.attr["value"].tensor.CopyFrom(tensor)
    program = tf.compat.v1.wrap_function(
        lambda: tf.import_graph_def(graph, name=""), []
    ).prune("xs_0:0", "Identity:0")
    return lambda y: program(tf.constant(y)).numpy()
