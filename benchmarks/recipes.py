"""Choices of the Fourier and SphereFace2 recipe, by short runs with equal budgets on lfw125.

    python benchmarks/recipes.py --data DIR --weights mobilefacenet.pt --group scratch
    python benchmarks/recipes.py --data DIR --weights mobilefacenet.pt --group pretrained

`scratch` trains a small ResNeXt from random weights on 64 pixels; `pretrained` fine-tunes MobileFaceNet. A fifth of the
training people are held out and play strangers, and a fifth of the others' photos are searched with, others with every
seed: nothing of test/ is used. Side questions have one seed. A row for every run goes to --out; runs that are there are
not repeated, so a stopped benchmark goes on.
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
from facereid_nb.gallery import Gallery
from facereid_nb.heads import Focal, FocalLoss, SphereFace2
from facereid_nb.model import ARCFACE, embed
from facereid_nb.train import face_learner
from lfw125 import ALIGNMENT, answer, arguments


def residual_stages(width):
    "Four bottleneck blocks, one for each resolution."
    for planes, stride in ((16, 2), (32, 2), (64, 2), (128, 2)):
        shortcut = Conv2dNormActivation(width, 4*planes, 1, stride, activation_layer=None)
        yield Bottleneck(width, planes, stride, shortcut, groups=8, base_width=32)
        width = 4*planes


class SmallResNeXt(nn.Module):
    "A ResNeXt of 14 layers, a quarter as wide as ResNeXt-50 8×4d: `(B,3,H,W)` → `(B,512)` of length 1."
    embedding_size = 512

    def __init__(self):
        super().__init__()
        stem = Conv2dNormActivation(3, 32, stride=2)
        self.features = nn.Sequential(stem, *residual_stages(32), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, x): return F.normalize(self.features(x))


BACKBONES['small_resnext'] = BackboneSpec(SmallResNeXt, 64, (0.5,)*3, (0.5,)*3)


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
    with_spectrum = model.normalise
    def plain(batch):
        x = with_spectrum(batch)
        x[:, 3] = (1 - FOURIER_MEAN)/FOURIER_STD
        return x
    model.normalise = plain


SF2 = dict(loss=SphereFace2())
SCRATCH = {
    'softmax': dict(margin=0.), 'ArcFace': {}, 'SphereFace2': SF2,
    'SphereFace2, γ 1': dict(loss=SphereFace2(gamma=1.)), 'SphereFace2, γ 2': dict(loss=SphereFace2(gamma=2.)),
    'SphereFace2, Fourier': dict(**SF2, fourier=True), 'ArcFace, Fourier': dict(fourier=True)}
ONE_SEED = {
    'focal softmax': dict(loss=Focal()), 'SphereFace2 + focal softmax': dict(**SF2, change=add_focal_softmax),
    'SphereFace2, slope of g': dict(loss=SphereFace2(detach=False)),
    'SphereFace2, r 40': dict(loss=SphereFace2(scale=40.)),
    'SphereFace2, 48 pixels': dict(**SF2, size=48), 'SphereFace2, 96 pixels': dict(**SF2, size=96),
    'SphereFace2, no augmentation': dict(**SF2, crop=1., flip=0., rotate=0., jitter=0., hue=0.),
    'SphereFace2, SGD': dict(**SF2, change=use_sgd, lr_backbone=0.1, lr_head=0.1),
    'SphereFace2, constant rate': dict(**SF2, lr_head=3e-3, lr_min=3e-3)}
PRETRAINED = {
    'no training': dict(epochs=0), 'ArcFace': {}, 'SphereFace2': SF2,
    'SphereFace2, γ 1': dict(loss=SphereFace2(gamma=1.)),
    'SphereFace2, Fourier, filters from RGB': dict(**SF2, fourier=True),
    'SphereFace2, Fourier, filters from 0': dict(**SF2, fourier=True, change=zero_fourier_filters),
    'no training, Fourier, filters from RGB': dict(epochs=0, fourier=True)}
CONFIGURATIONS = dict(scratch=SCRATCH | ONE_SEED, pretrained=PRETRAINED)


def base_recipe(group, weights):
    "What all configurations of a group share."
    if group == 'scratch': own = dict(backbone='small_resnext', weights=None, epochs=20, lr_backbone=3e-3)
    else: own = dict(backbone='mobilefacenet', weights=str(weights), epochs=3, lr_backbone=1e-4)
    return replace(ARCFACE, **own, **native_input(own['backbone']), lr_head=1e-2, valid_pct=0.05)


def galleries(model, enrolled):
    "Both kinds of gallery, by kind."
    found = {}
    for kind in ('mean', 'class_weights'):
        model.recipe = replace(model.recipe, gallery=kind)
        found[kind] = Gallery.build(model, enrolled, mirror=True)
    return found


def measures(model, enrolled, probes, spoil=None):
    "Rank-1 and DIR at FPIR 0.01 of both kinds of gallery; `spoil` changes the model that the probes are embedded with."
    by_kind = galleries(model, enrolled)
    if spoil: spoil(model)
    embeddings, found = embed(model, probes.path, mirror=True), {}
    for kind, gallery in by_kind.items():
        threshold = best_threshold(answer(gallery, probes, embeddings), probes, fpir=0.01)
        summary = open_set_summary(answer(gallery, probes, embeddings, threshold), probes)
        found |= {f'{kind} rank-1': summary['rank-1'], f'{kind} DIR': summary.DIR}
    return found


def trained(recipe, items, change=None):
    "A model, its best accuracy on validation photos, and the seconds of training; `change` is made to the learner."
    learn = face_learner(items, recipe, num_workers=0)
    if change: change(learn)
    started = time.time()
    with learn.no_bar(), learn.no_logging(), tempfile.TemporaryDirectory() as tmp:
        history = learn.fit_recipe(Path(tmp)/'model.safetensors')
    accuracy = float(history.accuracy.max()) if len(history) else None
    return learn.model.eval(), dict(valid_accuracy=accuracy, seconds=time.time() - started)


def run(base, changes, split, seed):
    "Train by the changed recipe; a dict of measures for each way of inference."
    settings = {k: v for k, v in changes.items() if k != 'change'}
    recipe = replace(base, seed=seed, **settings)
    model, about = trained(recipe, split[0], changes.get('change'))
    rows = [dict(inference='as trained', **about, **measures(model, *split))]
    if recipe.preprocessing.fourier and recipe.schedule.epochs:
        rows.append(dict(inference='plain alpha', **about, **measures(model, *split, spoil=alpha_channel)))
    return rows


def is_done(out, group, name, seed):
    "Whether a run is in the file already."
    if not out.exists(): return False
    runs = pd.read_csv(out)
    return ((runs.group == group) & (runs.configuration == name) & (runs.seed == seed)).any()


def append(rows, out):
    "Add rows to the file of the runs."
    table = pd.concat([pd.read_csv(out), rows]) if out.exists() else rows
    with atomic_write(out) as tmp: table.to_csv(tmp, index=False)
    print(rows.to_string(index=False, header=False), flush=True)


def main():
    parser = arguments(__doc__)
    parser.add_argument('--group', choices=CONFIGURATIONS, default='scratch')
    parser.add_argument('--seeds', type=int, default=3)
    parser.add_argument('--out', type=Path, help='default: benchmarks/recipes_GROUP.csv')
    parser.add_argument('--crops', type=Path, default=Path('benchmarks/lfw125/crops'), help='crops there are kept')
    args = parser.parse_args()
    group, out = args.group, args.out or Path(f'benchmarks/recipes_{args.group}.csv')
    base = base_recipe(group, args.weights)
    crops = align_faces(read_items(args.data/'trainset.csv'), args.crops, ALIGNMENT)
    for seed, (name, changes) in product(range(args.seeds), CONFIGURATIONS[group].items()):
        if name in ONE_SEED and seed or is_done(out, group, name, seed): continue
        rows = run(base, changes, heldout_split(crops, seed=seed), seed)
        append(pd.DataFrame([dict(group=group, configuration=name, seed=seed, **row) for row in rows]).round(4), out)


if __name__ == '__main__': main()
