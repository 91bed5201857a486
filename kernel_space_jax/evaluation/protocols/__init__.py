"""The protocols by name: one file each, joined by a line here."""

from kernel_space_jax.errors import UserError, unknown
from kernel_space_jax.evaluation.protocol import Protocol
from kernel_space_jax.evaluation.protocols.aligned import ALIGNED
from kernel_space_jax.evaluation.protocols.blur_swap import BLUR_SWAP
from kernel_space_jax.evaluation.protocols.half_transfer import HALF_TRANSFER
from kernel_space_jax.evaluation.protocols.in_space import IN_SPACE
from kernel_space_jax.evaluation.protocols.kohler import KOHLER, KOHLER_PROXY
from kernel_space_jax.evaluation.protocols.lai import LAI
from kernel_space_jax.evaluation.protocols.levin import LEVIN
from kernel_space_jax.evaluation.protocols.levin_transfer import LEVIN_TRANSFER
from kernel_space_jax.evaluation.protocols.non_blind import NON_BLIND
from kernel_space_jax.evaluation.protocols.pairs import PAIRS
from kernel_space_jax.evaluation.protocols.reconstruction import RECONSTRUCTION
from kernel_space_jax.evaluation.protocols.shaken import SHAKEN
from kernel_space_jax.evaluation.protocols.turned import TURNED

PROTOCOLS = {
    protocol.name: protocol
    for protocol in (
        PAIRS,
        ALIGNED,
        LEVIN,
        LAI,
        KOHLER,
        KOHLER_PROXY,
        NON_BLIND,
        SHAKEN,
        TURNED,
        IN_SPACE,
        RECONSTRUCTION,
        HALF_TRANSFER,
        LEVIN_TRANSFER,
        BLUR_SWAP,
    )
}


def find_protocol(name: str | None, layout: str) -> Protocol:
    """The protocol of a name, or the one that a data set of this layout calls for."""
    if name is not None:
        if name not in PROTOCOLS:
            raise unknown("protocol", name, PROTOCOLS)
        return PROTOCOLS[name]
    for protocol in PROTOCOLS.values():
        if layout in protocol.data:
            return protocol
    raise UserError(
        f"a data set of the layout '{layout}' has no score of its own; "
        f"give --protocol, one of {', '.join(PROTOCOLS)}"
    )


__all__ = ["PROTOCOLS", "find_protocol"]
