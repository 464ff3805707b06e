"""The strongest PyTorch peer on AMD: MKL avoids its AVX-512 kernels there, so frozen linears go to oneDNN."""
import torch


class OneDnnLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, weight, transposed):
        ctx.transposed = transposed
        flat = x.reshape(-1, x.shape[-1])
        out = torch.ops.mkldnn._linear_pointwise(flat, weight, None, "none", [], "")
        return out.view(*x.shape[:-1], weight.shape[0])

    @staticmethod
    def backward(ctx, gradient):
        flat = gradient.reshape(-1, gradient.shape[-1]).contiguous()
        dx = torch.ops.mkldnn._linear_pointwise(flat, ctx.transposed, None, "none", [], "")
        return dx.view(*gradient.shape[:-1], ctx.transposed.shape[0]), None, None


def send_frozen_linears_to_onednn(model):
    for layer in model.modules():
        if type(layer) is torch.nn.Linear and not layer.weight.requires_grad and layer.bias is None:
            weight = layer.weight.detach()
            transposed = weight.t().contiguous()
            layer.forward = lambda x, w=weight, t=transposed: OneDnnLinear.apply(x, w, t)
