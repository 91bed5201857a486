"""SRN in TensorFlow: the rival that our JAX version is timed against.

Written from the same equations as ours (Tao et al., CVPR 2018), as TensorFlow users
write it. Images are NHWC in [0, 1] with sides that are multiples of 16. Variables carry
the names of published checkpoints, below `g_net`.
"""

import re
from collections.abc import Mapping

import numpy as np
import tensorflow as tf

LEVELS = 3


class SRN(tf.Module):
    """Blurry y to x at three scales, the coarsest first, with or without the LSTM."""

    def __init__(self, arrays: Mapping[str, np.ndarray]):
        super().__init__()
        made = {name: tf.Variable(tf.constant(array)) for name, array in arrays.items()}
        self.v = {name.removeprefix("g_net/"): value for name, value in made.items()}
        first = [name for name in self.v if re.match(r"enc1_\d+/conv1/weights", name)]
        self.blocks = len(first)
        self.lstm = any(name.startswith("convLSTM/") for name in self.v)

    def __call__(self, y: tf.Tensor) -> list[tf.Tensor]:
        height, width = y.shape[1:3]
        x, state, answers = y, None, []
        for level in reversed(range(LEVELS)):
            size = (height // 2**level, width // 2**level)
            x = tf.stop_gradient(self._resized(x, size))
            pair = tf.concat([self._resized(y, size), x], -1)
            if state is not None:
                state = self._resized(state, (size[0] // 4, size[1] // 4))
            x, state = self._scale(pair, state)
            answers.append(x)
        return answers

    def _scale(
        self, pair: tf.Tensor, state: tf.Tensor | None
    ) -> tuple[tf.Tensor, tf.Tensor | None]:
        x, skips = pair, []
        for level in (1, 2, 3):
            x = tf.nn.relu(self._conv(x, f"enc{level}_1", 1 if level == 1 else 2))
            for index in range(self.blocks):
                x = self._block(x, f"enc{level}_{index + 2}")
            skips.append(x)
        if self.lstm:
            state = self._remembered(x, state)
            x = tf.split(state, 2, -1)[1]
        for level in (3, 2, 1):
            if level < 3:
                x = self._grown(x, f"dec{level}_4") + skips[level - 1]
            for index in reversed(range(self.blocks)):
                x = self._block(x, f"dec{level}_{index + 1}")
        return self._conv(x, "dec1_0"), state

    def _remembered(self, x: tf.Tensor, state: tf.Tensor | None) -> tf.Tensor:
        """The LSTM's cell and answer, side by side."""
        if state is None:
            state = tf.zeros_like(tf.concat([x, x], -1))
        c, h = tf.split(state, 2, -1)
        gates = self._conv(tf.concat([x, h], -1), "convLSTM/LSTM_conv")
        i, j, f, o = tf.split(gates, 4, -1)
        c = c * tf.sigmoid(f + 1.0) + tf.sigmoid(i) * tf.tanh(j)
        return tf.concat([c, tf.tanh(c) * tf.sigmoid(o)], -1)

    def _block(self, x: tf.Tensor, name: str) -> tf.Tensor:
        inner = tf.nn.relu(self._conv(x, f"{name}/conv1"))
        return x + self._conv(inner, f"{name}/conv2")

    def _conv(self, x: tf.Tensor, name: str, stride: int = 1) -> tf.Tensor:
        y = tf.nn.conv2d(x, self.v[f"{name}/weights"], stride, "SAME")
        return tf.nn.bias_add(y, self.v[f"{name}/biases"])

    def _grown(self, x: tf.Tensor, name: str) -> tf.Tensor:
        w = self.v[f"{name}/weights"]
        shape = tf.concat([tf.shape(x)[:3] * [1, 2, 2], tf.shape(w)[2:3]], 0)
        y = tf.nn.conv2d_transpose(x, w, shape, 2, "SAME")
        return tf.nn.relu(tf.nn.bias_add(y, self.v[f"{name}/biases"]))

    def _resized(self, x: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
        return tf.compat.v1.image.resize_bilinear(x, size)
