"""SRN (Tao et al. 2018): TensorFlow 1 checkpoints of `lstm`, `gray` and `color`."""

from typing import Any

from kernel_space_jax.models.restorers.srn import HALVINGS, SRN
from kernel_space_jax.weights.official import Names, Official, Shapes, count, dimension

ENDING = "g_net/dec1_0/weights"


def _infer(shapes: Shapes) -> dict[str, Any]:
    return {
        "width": dimension(shapes, "g_net/enc1_1/weights", 3),
        "blocks": count(shapes, r"g_net/enc1_\d+/conv1/weights"),
        "channels": dimension(shapes, ENDING, 3),
        "lstm": any(key.startswith("g_net/convLSTM/") for key in shapes),
    }


def _names(module: SRN) -> Names:
    layers = {"intro": "enc1_1", "ending": "dec1_0"}
    for level in range(HALVINGS + 1):
        if level:
            layers[f"down{level - 1}"] = f"enc{level + 1}_1"
            layers[f"up{level - 1}"] = f"dec{level}_4"
        for i in range(module.blocks):
            layers[f"encoder{level}_block{i}"] = f"enc{level + 1}_{i + 2}"
            # Their decoder counts down to its last block.
            layers[f"decoder{level}_block{i}"] = f"dec{level + 1}_{module.blocks - i}"
    names: Names = {("scale", ours): f"g_net/{key}" for ours, key in layers.items()}
    names["scale", "lstm", "gates"] = "g_net/convLSTM/LSTM_conv"
    return names


OFFICIAL = Official(
    mark="g_net/enc1_1/weights",
    infer=_infer,
    names=_names,
    inputs=lambda shapes: ((1, 32, 32, dimension(shapes, ENDING, 3)),),
    family="tensorflow",
    # The program's counter of steps has no other name.
    ignored=r"^Variable$",
    source="github.com/jiangsutx/SRN-Deblur",
)
