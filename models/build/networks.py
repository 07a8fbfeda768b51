"""From a network's description to the network."""

from torch import Tensor

from models.encoders.encoder import Encoder
from models.encoders.tuning import Tuning
from models.functional import Network
from models.networks.conv1d import Conv1d
from models.networks.conv4 import Conv4
from models.networks.features import Features
from models.networks.kernels import CONVOLUTIONS, PLAIN, InBfloat16, Kernels
from models.networks.mlp import Mlp
from models.networks.resnet12 import ResNet12
from models.networks.resnet_maps import ResNetMaps
from models.networks.series_transformer import SeriesTransformer
from models.networks.tuned import Tuned
from models.spec import (
    Conv1dSpec,
    Conv4Spec,
    EncoderSpec,
    MlpSpec,
    NetworkSpec,
    ResNet12Spec,
    ResNetMapsSpec,
    RowTransformerSpec,
    SeriesTransformerSpec,
    Signature,
    TableTransformerSpec,
    learned_signature,
)


def build_network(
    spec: NetworkSpec,
    signature: Signature,
    kernels: Kernels = PLAIN,
    mean: Tensor | None = None,
    encoder: Encoder | None = None,
) -> Network:
    """The backbone that `spec` names, for the signature's inputs; raises ValueError where they do not fit.

    Of an encoder it is what is learned on the features, whose `mean` [F] over what is meta-trained on `init` starts
    from; with the `encoder` itself, its tuned weights too: the network then takes tokens.
    """
    signature = learned_signature(spec, signature)
    if spec.takes != signature.input_kind:
        name = type(spec).__struct_config__.tag
        raise ValueError(f"network {name} takes {spec.takes}, and the inputs are {signature.input_kind}")
    backbone = _backbone(spec, signature.inputs.example_shape, kernels, mean)
    if encoder is not None and isinstance(spec, EncoderSpec) and isinstance(backbone, Features):
        backbone = Tuned(encoder, Tuning(encoder.module, spec), backbone)
    return InBfloat16(backbone) if kernels.backbone == "bfloat16" else backbone


def _backbone(spec: NetworkSpec, shape: tuple[int, ...], kernels: Kernels, mean: Tensor | None) -> Network:
    match spec:
        case EncoderSpec():
            return Features(shape[0], spec.projection, mean)
        case MlpSpec():
            return Mlp(shape[0], spec.hidden, spec.activation)
        case Conv4Spec():
            height, width, channels = shape
            return Conv4((channels, height, width), spec.hidden, CONVOLUTIONS[kernels.convolution])
        case TableTransformerSpec() | RowTransformerSpec():
            name = type(spec).__struct_config__.tag
            raise ValueError(f"network {name} makes no features; it is prior_fitted's")
        case ResNet12Spec():
            return ResNet12(shape[-1], spec.widths)
        case ResNetMapsSpec():
            height, width, channels = shape
            # What is rounded takes no gradient's gradient.
            rounded = kernels.backbone == "bfloat16"
            return ResNetMaps(
                (channels, height, width), spec.width, spec.grid(height, width), rounded, spec.centred
            )
        case Conv1dSpec():
            return Conv1d(shape[-1], spec.hidden, spec.blocks, spec.kernel)
        case SeriesTransformerSpec():
            return SeriesTransformer(shape, spec.hidden, spec.layers, spec.heads, spec.patch)
