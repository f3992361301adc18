"""What the parts of a training step cost, as ratios measured in turn in one run.

    python benchmarks/speed.py [--batch 32] [--repeats 7]

- the Fourier channel against a training step (forward and backward) of each backbone on four channels;
- each backbone with weights laid out channels-last, as `create_backbone` makes them, against the default layout;
- each backbone with fixed batch norm folded into the layers before it, as `FreezeBatchNorm` trains it, against layers of its own;
- each backbone's embeddings with batch norm folded, as `embed` makes them of many images, against the network as it is;
- a step of Muon, and one of AdamW, against a training step of each backbone;
- colour augmentation by one matrix per image against fastai's own transforms.
On a GPU, if there is one, in half precision. The ratio is the median over repeats in which both were timed one after the other.
"""
import argparse, time
from dataclasses import replace
from statistics import median

import pandas as pd, torch
from fastai.torch_core import TensorImage
from fastai.vision.augment import Brightness, Contrast, Hue, Saturation, setup_aug_tfms
from fasttransform import Pipeline
from facereid_nb.backbones import create_backbone, fold_batch_norm, native_input
from facereid_nb.fourier import fourier_channel
from facereid_nb.train import ARCFACE, ColourJitter, optimizer

BACKBONES = ('mobilefacenet', 'inception_resnet_v1', 'resnext50_32x4d')
device = 'cuda' if torch.cuda.is_available() else 'cpu'

def seconds(f):
    if device == 'cuda': torch.cuda.synchronize()
    started = time.perf_counter()
    f()
    if device == 'cuda': torch.cuda.synchronize()
    return time.perf_counter() - started

def ratio(ours, other, repeats):
    "Median over repeats of the seconds of `ours` per second of `other`, and the median seconds of `ours`."
    ours(), other()
    pairs = [(seconds(ours), seconds(other)) for _ in range(repeats)]
    return median(a/b for a, b in pairs), median(a for a, _ in pairs)

def training_step(name, in_channels, batch, layout=torch.channels_last, norm='trained'):
    net = create_backbone(name, in_channels, weights=None).to(device, memory_format=layout)
    x = torch.rand(batch, in_channels, *[native_input(name)['size']]*2, device=device)
    if norm != 'trained': net.eval()
    if norm == 'folded': fold_batch_norm(net, x)
    def step():
        with torch.autocast(device, torch.float16 if device == 'cuda' else torch.bfloat16, enabled=device == 'cuda'): loss = net(x).sum()
        loss.backward()
    return step, x

def embedding(name, batch, folded):
    net = create_backbone(name, weights=None).to(device).eval()
    x = torch.rand(batch, 3, *[native_input(name)['size']]*2, device=device)
    if folded: fold_batch_norm(net, x)
    @torch.inference_mode()
    def embed(): net(x)
    return embed

def optimizer_step(name, kind):
    net = create_backbone(name, weights=None).to(device)
    for p in net.parameters(): p.grad = torch.randn_like(p)
    return optimizer(replace(ARCFACE, optimizer=kind))([list(net.parameters()), []], lr=1e-3).step

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--batch', type=int, default=32)
    parser.add_argument('--repeats', type=int, default=7)
    args = parser.parse_args()
    rows = []
    for name in BACKBONES:
        step, x = training_step(name, 4, args.batch)
        rows.append((f'Fourier channel / training step of {name}', *ratio(lambda: fourier_channel(x[:, :3]), step, args.repeats)))
    for name in BACKBONES:
        ours, other = [training_step(name, 3, args.batch, layout)[0] for layout in (torch.channels_last, torch.contiguous_format)]
        rows.append((f'channels-last / default, training step of {name}', *ratio(ours, other, args.repeats)))
    for name in BACKBONES:
        ours, other = [training_step(name, 3, args.batch, norm=norm)[0] for norm in ('folded', 'fixed')]
        rows.append((f'batch norm folded / fixed, training step of {name}', *ratio(ours, other, args.repeats)))
    for name in BACKBONES:
        rows.append((f'batch norm folded / as it is, embeddings of {name}', *ratio(embedding(name, args.batch, True), embedding(name, args.batch, False), args.repeats)))
    for name in BACKBONES:
        step, _ = training_step(name, 3, args.batch, norm='folded')
        for kind in ('muon', 'adamw'): rows.append((f'{kind} / training step of {name}', *ratio(optimizer_step(name, kind), step, args.repeats)))
    x = TensorImage(torch.rand(args.batch, 3, 112, 112, device=device))
    theirs = Pipeline(setup_aug_tfms([Brightness(0.2, p=1.), Contrast(0.2, p=1.), Saturation(0.2, p=1.), Hue(0.1, p=1.)]), split_idx=0)
    ours = ColourJitter()
    rows.append(('colours by one matrix / fastai', *ratio(lambda: ours(x, split_idx=0), lambda: theirs(x.clone()), args.repeats)))
    table = pd.DataFrame(rows, columns=['what', 'ratio', 'ms']).set_index('what')
    print(f'{device}, {torch.get_num_threads()} threads, batch {args.batch}')
    print(table.assign(ms=table.ms*1000).round(4).to_string())

if __name__ == '__main__': main()
