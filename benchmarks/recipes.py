"""Choices of the Fourier and SphereFace2 recipe, by short runs with equal budgets on lfw125.

    python benchmarks/recipes.py --data DIR --weights mobilefacenet.pt --group scratch
    python benchmarks/recipes.py --data DIR --weights mobilefacenet.pt --group pretrained

`scratch` trains a small ResNeXt from random weights on 64 pixels; `pretrained` fine-tunes MobileFaceNet.
A fifth of the training people are held out and play strangers, and a fifth of the others' photos are searched with, others with every
seed: nothing of test/ is used. Side questions have one seed. A row for every run goes to --out; runs that are there are not repeated, so a stopped benchmark goes on.
"""
import tempfile, time
from dataclasses import replace
from functools import partial
from itertools import product
from pathlib import Path

import pandas as pd, torch, torch.nn.functional as F
from fastai.optimizer import OptimWrapper
from torch import nn
from torchvision.models.resnet import Bottleneck
from torchvision.ops import Conv2dNormActivation
from facereid_nb.align import align_faces
from facereid_nb.backbones import BACKBONES, BackboneSpec, native_input
from facereid_nb.data import atomic_write, read_items
from facereid_nb.evaluate import best_threshold, heldout_split, open_set_summary
from facereid_nb.fourier import FOURIER_MEAN, FOURIER_STD
from facereid_nb.gallery import Gallery, embed
from facereid_nb.heads import FocalLoss
from facereid_nb.train import ARCFACE, face_learner
from lfw125 import ALIGNMENT, answer, arguments

class SmallResNeXt(nn.Module):
    "A ResNeXt of 14 layers, a quarter as wide as ResNeXt-50 8×4d: `(B,3,H,W)` → `(B,512)` of length 1."
    embedding_size = 512

    def __init__(self):
        super().__init__()
        layers, width = [Conv2dNormActivation(3, 32, stride=2)], 32
        for planes, stride in ((16, 2), (32, 2), (64, 2), (128, 2)):
            shortcut = Conv2dNormActivation(width, 4*planes, 1, stride, activation_layer=None)
            layers.append(Bottleneck(width, planes, stride, shortcut, groups=8, base_width=32))
            width = 4*planes
        self.features = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x): return F.normalize(self.features(x))

def zero_fourier_filters(learn):
    "Start without any influence of the fourth channel: its first filters 0, those of RGB as they were."
    first = next(m for m in learn.model.backbone.modules() if isinstance(m, nn.Conv2d))
    with torch.no_grad():
        first.weight[:, 3] = 0
        first.weight *= 4/3

def add_focal_softmax(learn):
    "SphereFace2 plus focal loss on the softmax, as a sum of two losses."
    sphereface2, focal = learn.loss_func, FocalLoss()
    learn.loss_func.forward = lambda c, y: type(sphereface2).forward(sphereface2, c, y) + focal(c, y)/sphereface2.scale

def use_sgd(learn): learn.opt_func = partial(OptimWrapper, opt=partial(torch.optim.SGD, momentum=0.9))

def alpha_channel(model):
    "The original's mismatch: a plain alpha channel, all ones, in place of the spectrum."
    spectrum = model.normalise
    def plain(batch):
        x = spectrum(batch)
        x[:, 3] = (1 - FOURIER_MEAN)/FOURIER_STD
        return x
    model.normalise = plain

SF2 = dict(loss='sphereface2', margin=0.4)
SCRATCH = {
    'softmax': dict(margin=0.), 'ArcFace': {}, 'SphereFace2': SF2, 'SphereFace2, γ 1': dict(**SF2, gamma=1.), 'SphereFace2, γ 2': dict(**SF2, gamma=2.),
    'SphereFace2, Fourier': dict(**SF2, fourier=True), 'ArcFace, Fourier': dict(fourier=True)}
ONE_SEED = {
    'focal softmax': dict(loss='focal', gamma=2.), 'SphereFace2 + focal softmax': dict(**SF2, gamma=0., change=add_focal_softmax),
    'SphereFace2, slope of g': dict(**SF2, detach=False), 'SphereFace2, r 40': dict(**SF2, scale=40.),
    'SphereFace2, 48 pixels': dict(**SF2, size=48), 'SphereFace2, 96 pixels': dict(**SF2, size=96),
    'SphereFace2, no augmentation': dict(**SF2, crop=1., flip=0., rotate=0., jitter=0., hue=0.),
    'SphereFace2, SGD': dict(**SF2, change=use_sgd, lr_backbone=0.1, lr_head=0.1),
    'SphereFace2, constant rate': dict(**SF2, lr_head=3e-3, lr_min=3e-3)}
PRETRAINED = {
    'no training': dict(epochs=0), 'ArcFace': {}, 'SphereFace2': SF2, 'SphereFace2, γ 1': dict(**SF2, gamma=1.),
    'SphereFace2, Fourier, filters from RGB': dict(**SF2, fourier=True),
    'SphereFace2, Fourier, filters from 0': dict(**SF2, fourier=True, change=zero_fourier_filters),
    'no training, Fourier, filters from RGB': dict(epochs=0, fourier=True)}

def measures(model, enrolled, probes, spoil=None):
    "Rank-1 and DIR at FPIR 0.01 of both kinds of gallery."
    galleries = {}
    for kind in ('mean', 'class_weights'):
        model.recipe = replace(model.recipe, gallery=kind)
        galleries[kind] = Gallery.build(model, enrolled, mirror=True)
    if spoil: spoil(model)
    embeddings, found = embed(model, probes.path, mirror=True), {}
    for kind, gallery in galleries.items():
        answers = answer(gallery, probes, embeddings)
        threshold = best_threshold(answers, probes, fpir=0.01)
        summary = open_set_summary(answer(gallery, probes, embeddings, threshold), probes, ARCFACE.unknown)
        found |= {f'{kind} rank-1': summary['rank-1'], f'{kind} DIR': summary.DIR}
    return found

def run(base, changes, split, seed):
    "Train by the changed recipe; a dict of measures for each way of inference."
    changes = dict(changes)
    change = changes.pop('change', None)
    recipe = replace(base, seed=seed, **changes)
    learn = face_learner(split[0], recipe, num_workers=0)
    if change: change(learn)
    with learn.no_bar(), learn.no_logging(), tempfile.TemporaryDirectory() as tmp:
        started = time.time()
        history = learn.fit_recipe(Path(tmp)/'model.safetensors')
        seconds = time.time() - started
    learn.model.eval()
    shared = dict(valid_accuracy=float(history.accuracy.max()) if len(history) else None, seconds=seconds)
    rows = [dict(inference='as trained', **shared, **measures(learn.model, *split))]
    if recipe.fourier and recipe.epochs: rows.append(dict(inference='plain alpha', **shared, **measures(learn.model, *split, spoil=alpha_channel)))
    return rows

def main():
    parser = arguments(__doc__)
    parser.add_argument('--group', choices=('scratch', 'pretrained'), default='scratch')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--out', type=Path, help='default: benchmarks/recipes_GROUP.csv')
    parser.add_argument('--crops', type=Path, default=Path('benchmarks/lfw125/crops'), help='crops that are there are kept')
    args = parser.parse_args()
    args.out = args.out or Path(f'benchmarks/recipes_{args.group}.csv')

    BACKBONES['small_resnext'] = BackboneSpec(SmallResNeXt, 64, (0.5,)*3, (0.5,)*3)
    bases = dict(scratch=(SCRATCH | ONE_SEED, replace(ARCFACE, backbone='small_resnext', weights=None, epochs=20, lr_backbone=3e-3, lr_head=1e-2, valid_pct=0.05,
                                           **native_input('small_resnext'))),
                 pretrained=(PRETRAINED, replace(ARCFACE, backbone='mobilefacenet', weights=str(args.weights), epochs=3, lr_backbone=1e-4, lr_head=1e-2,
                                                 valid_pct=0.05, **native_input('mobilefacenet'))))
    configurations, base = bases[args.group]
    crops = align_faces(read_items(args.data/'trainset.csv'), args.crops, ALIGNMENT)
    done = pd.read_csv(args.out) if args.out.exists() else pd.DataFrame(columns=['group', 'configuration', 'seed'])
    for seed, (name, changes) in product(range(args.seeds), configurations.items()):
        if name in ONE_SEED and seed: continue
        if ((done.group == args.group) & (done.configuration == name) & (done.seed == seed)).any(): continue
        rows = pd.DataFrame([dict(group=args.group, configuration=name, seed=seed, **r) for r in run(base, changes, heldout_split(crops, seed=seed), seed)])
        done = pd.concat([pd.read_csv(args.out), rows] if args.out.exists() else [rows])
        with atomic_write(args.out) as tmp: done.round(4).to_csv(tmp, index=False)
        print(rows.round(4).to_string(index=False, header=False), flush=True)

if __name__ == '__main__': main()
