"""The photos, networks and recipes that the rows of bench.py share."""
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import torch
from PIL import Image
from facereid_nb.align import Alignment, align_faces
from facereid_nb.backbones import native_input
from facereid_nb.data import open_image, read_items
from facereid_nb.model import ARCFACE, FaceModel

WORK = Path('benchmarks/bench') # What is kept between runs: drawn photos, crops
ALIGNMENT = Alignment(method='similarity', size=112)


@dataclass(frozen=True)
class Setup:
    "What all rows are given."
    data:Path # Photos, as benchmarks/lfw125.py has them; drawn faces where there are none
    weights:Path # Of MobileFaceNet; random ones where there are none
    threads:int # Cores and threads of every way
    rounds:int # Of timing
    small:bool = False # A tenth of the work, to see whether a row runs

    def n(self, full): return max(2, full//10) if self.small else full

    @cached_property
    def folder(self):
        "Photos in the competition's layout."
        if (self.data/'trainset.csv').exists(): return self.data
        from facereid_nb.samples import make_faces
        return make_faces(WORK/'drawn', n_people=60, n_train=6, n_test=1, n_strangers=0, size=250)

    def items(self, n):
        "Training photos; fewer are the first of more."
        items = read_items(self.folder/'trainset.csv')
        return items.sample(min(n, len(items)), random_state=0).reset_index(drop=True)

    def crops(self, n, size=112):
        "Faces of training photos, `image_path`, `gt` and `path`."
        crops = align_faces(self.items(n), WORK/f'crops_{size}', replace(ALIGNMENT, size=size))
        return crops[crops.status == 'aligned'].reset_index(drop=True)

    def recipe(self, backbone, **changes):
        "ArcFace on one of the networks, with random weights but for MobileFaceNet."
        own = str(self.weights) if backbone == 'mobilefacenet' and self.weights.exists() else None
        return replace(ARCFACE, backbone=backbone, weights=own, **native_input(backbone), **changes)


def enlarged(photos):
    "A photo of 6 megapixels of three others: a large one, and two half as high beside it."
    large = Image.new('RGB', (3000, 2000))
    for photo, side, place in zip(photos, (2000, 1000, 1000), ((0, 0), (2000, 0), (2000, 1000))):
        large.paste(photo.resize((side, side), Image.BICUBIC), place)
    return large


def network(recipe, images):
    "A model in evaluation mode; random weights have the batch norm statistics of these images, so that faces differ."
    model = FaceModel(recipe)
    if recipe.weights is None:
        for m in model.modules(): m.momentum = 1.
        with torch.no_grad(): model.backbone(model.preprocess(images))
    return model.eval()


def as_published(net):
    "A copy of a network in torch's default memory format, as it is without us."
    return deepcopy(net).to(memory_format=torch.contiguous_format).eval()


def pictures(crops, size):
    "Crops in memory, of the size that a network takes."
    return [open_image(path).resize((size, size), Image.BICUBIC) for path in crops.path]
