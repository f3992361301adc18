"""What the parts of a training step and of an embedding cost, as ratios measured in turn in one run.

    python benchmarks/speed.py [--batch 32] [--repeats 7]

- the Fourier channel against a training step (forward and backward) of each backbone on four channels;
- each backbone with weights laid out channels-last, as `create_backbone` makes them, against the default layout;
- each backbone's training step in `frozen_batch_norm`, where batch norm is computed in the layers before it, against
  batch norm with the same statistics in layers of its own;
- each backbone's embeddings by `folded_batch_norm`, as `embed` makes them of many images, against the network as it is;
- a step of Muon, and one of AdamW, against a training step of each backbone;
- colour jitter by one matrix per image against fastai's own transforms.
On a GPU, if there is one, in half precision. The ratio is the median over repeats in which both were timed one after
the other. How whole stages compare with other libraries is measured by bench.py.
"""
import argparse
from dataclasses import replace
from functools import partial

import pandas as pd, torch
from fastai.torch_core import TensorImage
from fastai.vision.augment import Brightness, Contrast, Hue, Saturation, setup_aug_tfms
from fasttransform import Pipeline
from facereid_nb.augment import random_colours
from facereid_nb.backbones import create_backbone, folded_batch_norm, frozen_batch_norm, native_input
from facereid_nb.fourier import fourier_channel
from facereid_nb.model import ARCFACE
from facereid_nb.train import optimizer
from in_turn import compared, in_turn

NETWORKS = ('mobilefacenet', 'inception_resnet_v1', 'resnext50_32x4d')
device = 'cuda' if torch.cuda.is_available() else 'cpu'


def ratio(ours, other, repeats):
    "Median over repeats of the seconds of `ours` per second of `other`, and the median seconds of `ours`."
    found = compared(in_turn(ours, other, repeats), 'time')
    return found['ratio'], found['ours']


def network(name, in_channels=3, layout=torch.channels_last):
    "A backbone with random weights."
    return create_backbone(name, in_channels, weights=None).to(device, memory_format=layout)


def images(name, batch, in_channels=3):
    "Random images of the size that a backbone takes."
    return torch.rand(batch, in_channels, *[native_input(name)['size']]*2, device=device)


def training_step(net, x):
    "Forward and backward."
    half = torch.float16 if device == 'cuda' else torch.bfloat16
    def step():
        with torch.autocast(device, half, enabled=device == 'cuda'): loss = net(x).sum()
        loss.backward()
    return step


def embedding(net, x): return torch.inference_mode()(partial(net, x))


def fourier(name, batch, repeats):
    x = images(name, batch, 4)
    return ratio(lambda: fourier_channel(x[:, :3]), training_step(network(name, 4), x), repeats)


def layouts(name, batch, repeats):
    nets, x = [network(name, layout=of) for of in (torch.channels_last, torch.contiguous_format)], images(name, batch)
    return ratio(*(training_step(net, x) for net in nets), repeats)


def frozen(name, batch, repeats):
    net, as_it_is, x = network(name).eval(), network(name).eval(), images(name, batch)
    with frozen_batch_norm(net, x): return ratio(training_step(net, x), training_step(as_it_is, x), repeats)


def folded(name, batch, repeats):
    net, x = network(name).eval(), images(name, batch)
    return ratio(embedding(folded_batch_norm(net, x), x), embedding(net, x), repeats)


def optimizer_step(kind, name, batch, repeats):
    stepped, net, x = list(network(name).parameters()), network(name).eval(), images(name, batch)
    for p in stepped: p.grad = torch.randn_like(p)
    step = optimizer(replace(ARCFACE, optimizer=kind))([stepped, []], lr=1e-3).step
    with frozen_batch_norm(net, x): return ratio(step, training_step(net, x), repeats)


def colours(batch, repeats):
    x = TensorImage(torch.rand(batch, 3, 112, 112, device=device))
    theirs = [Brightness(0.2, p=1.), Contrast(0.2, p=1.), Saturation(0.2, p=1.), Hue(0.1, p=1.)]
    pipeline, plain = Pipeline(setup_aug_tfms(theirs), split_idx=0), x.as_subclass(torch.Tensor)
    return ratio(lambda: random_colours(plain, 0.2, 0.1), lambda: pipeline(x.clone()), repeats)


OF_EACH = {'Fourier channel / training step of': fourier,
           'channels-last / default, training step of': layouts,
           'batch norm frozen in the layers before / in its own, training step of': frozen,
           'batch norm folded / as it is, embeddings of': folded,
           'muon / training step of': partial(optimizer_step, 'muon'),
           'adamw / training step of': partial(optimizer_step, 'adamw')}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--repeats', type=int, default=7)
    args = parser.parse_args()
    how = args.batch, args.repeats
    rows = [(f'{what} {name}', *measure(name, *how)) for what, measure in OF_EACH.items() for name in NETWORKS]
    rows.append(('colours by one matrix / fastai', *colours(*how)))
    table = pd.DataFrame(rows, columns=['what', 'ratio', 'ms']).set_index('what')
    print(f'{device}, {torch.get_num_threads()} threads, batch {args.batch}')
    print(table.assign(ms=table.ms*1000).round(4).to_string())


if __name__ == '__main__': main()
