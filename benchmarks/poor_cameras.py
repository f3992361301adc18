"""How to train for degraded images, and what to compare with: trials on lfw125's training photos alone.

    python benchmarks/poor_cameras.py --data DIR --weights mobilefacenet.pt

A quarter of the people are the strangers. Of the others, a fifth of the photos is searched with, and MobileFaceNet is
trained on the rest, as the surveillance recipe says but for what a way to train changes, and for fewer epochs. Two such
splits. What is searched with are the photos as they are and as frames of three low-quality cameras, which come from
code of their own (Pillow; none of `degrade`) and are aligned as any photo is. Mean rates over both splits go to
benchmarks/poor_cameras.csv, a row for each way, gallery and camera, once all ways and both splits are there: --ways and
--splits do some, so that several can go on side by side. Accuracy is foreseen and measured for 30 % strangers.
"""
import io, math
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces, align_images
from facereid_nb.data import atomic_write, open_image, read_items
from facereid_nb.evaluate import cmc, dir_at, heldout_split, searches
from facereid_nb.heads import ArcFace
from facereid_nb.model import SURVEILLANCE, embed
from facereid_nb.train import face_learner
from lfw125 import arguments, enrol, rows_of

UNKNOWN_SHARE = 0.3 # What accuracy is foreseen and measured for
ALIGN, CAMERA = SURVEILLANCE.preprocessing.align, SURVEILLANCE.distillation.camera


@dataclass(frozen=True)
class Store:
    "What a low-quality camera does to a whole photo: smallest and largest, drawn evenly for each photo."
    side:tuple # Width and height of the frame, pixels
    blur:tuple # Standard deviation of a Gaussian, frame pixels
    shake:float # Longest movement, frame pixels
    gain:tuple # Brightness
    noise:tuple # Standard deviation at full light
    quality:tuple # Of JPEG


STORES = {'store': Store((40, 75), (.3, .9), 0., (.45, .9), (.01, .04), (45, 85)),
          'shaking': Store((45, 90), (.2, .6), 2., (.6, 1.1), (.01, .03), (55, 90)),
          'harsh': Store((38, 60), (.5, 1.), 1., (.35, .8), (.02, .06), (30, 70))}


def shifted(image, dx, dy):
    moved = image.transform(image.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), Image.Resampling.BILINEAR)
    return np.asarray(moved, dtype=float)


def shaken(image, length, angle):
    "The mean `(H,W,3)`, in [0, 1], of an image on its way along a line."
    steps = np.linspace(-.5, .5, 5 if length else 1)
    return np.mean([shifted(image, length*t*math.cos(angle), length*t*math.sin(angle)) for t in steps], axis=0)/255


def compressed(pixels, quality):
    "Pixels `(H,W,3)` in [0, 1], written as JPEG and read back."
    file = io.BytesIO()
    Image.fromarray((pixels.clip(0, 1)*255).round().astype(np.uint8)).save(file, 'JPEG', quality=quality)
    return Image.open(file).convert('RGB')


def frame(photo, store, rng):
    "A photo as a low-quality camera gives it."
    side = round(rng.uniform(*store.side))
    small = photo.resize((side, side), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(rng.uniform(*store.blur)))
    x = shaken(small, rng.uniform(0, store.shake), rng.uniform(0, math.pi))
    x = rng.uniform(*store.gain)*x**rng.uniform(0.9, 1.3)
    x = x + rng.uniform(*store.noise)*np.sqrt(0.3 + 0.7*x)*rng.normal(size=x.shape)
    return compressed(x, round(rng.uniform(*store.quality)))


def taken_by(store, crops, args):
    "Face crops with a margin, `(N,168,168,3)`, from all photos' frames."
    file = args.out/f'frames {store}.npy'
    if not file.exists():
        rng = np.random.default_rng(0)
        taken = [frame(open_image(args.data/path), STORES[store], rng) for path in crops.image_path]
        with atomic_write(file) as tmp: np.save(tmp, np.stack([crop.image for crop in align_images(taken, ALIGN)]))
    return np.load(file)


# What a way to train changes of `BASE`, by the names that the ways have in the CSV
BASE = dict(mixup=0., alignment_epochs=0)
MIXUP = dict(mixup=SURVEILLANCE.augmentation.mixup)
LEARNED_ALIGNMENT = dict(alignment_epochs=SURVEILLANCE.learned_alignment.alignment_epochs)
WAYS = {'no training': dict(epochs=0),
        'classification': dict(loss=ArcFace(margin=0.3), lr_head=SURVEILLANCE.schedule.lr_backbone,
                               classification_weight=1., embedding_weight=0., similarity_weight=0., hint_weight=0.),
        'embedding': dict(similarity_weight=0., hint_weight=0.),
        'embedding, similarity, hints': {},
        'all three, mixup': MIXUP,
        'all three, mixup, learned alignment': MIXUP | LEARNED_ALIGNMENT}


def split_of(crops, split):
    "Photos to enrol and to train on, and photos to search with."
    return heldout_split(crops, strangers=0.25, seed=split)


def trained(way, enrolled, args):
    "A model that was trained in one of the `WAYS`."
    settings = BASE | dict(weights=str(args.weights), epochs=args.epochs) | WAYS[way]
    learn = face_learner(enrolled, replace(SURVEILLANCE, **settings))
    with TemporaryDirectory() as folder, learn.no_bar(): learn.fit_recipe(f'{folder}/model.safetensors')
    return learn.model


def embedded(way, split, crops, frames, args):
    "Embeddings of the enrolment photos, 'good' and 'degraded', and of the probes as each camera gives them."
    file = args.out/f'trial {way} {split}.safetensors'
    if file.exists(): return load_file(file)
    enrolled, probes = split_of(crops, split)
    model, rows = trained(way, enrolled, args), rows_of(probes, crops)
    images = dict(good=enrolled.path, none=probes.path) | {store: [*taken[rows]] for store, taken in frames.items()}
    found = {name: embed(model, of, mirror=True) for name, of in images.items()}
    found['degraded'] = embed(model, enrolled.path, mirror=True, camera=CAMERA)
    with atomic_write(file) as tmp: save_file(found, tmp)
    return found


# Settings of the galleries for degraded searches, by the names that they have in the CSV
FOR_DEGRADED = {'good and degraded': {}, 'good and degraded, cohort of 30': dict(cohort=30),
                'good and degraded, cohort of 1, weight 0.25': dict(cohort=1, cohort_weight=0.25)}


def galleries(names, clean, degraded):
    "Galleries by their names in the CSV. None is told who was trained on."
    both = F.normalize(clean + degraded)
    return dict(good=enrol(names, clean)) | {kind: enrol(names, both, probes=degraded, **settings)
                                             for kind, settings in FOR_DEGRADED.items()}


def accuracy(table, threshold):
    "Expected fraction of right answers, were so many of the searches non-mated."
    known, strangers = table[table.mated], table[~table.mated]
    right = (known['rank'] == 1) & (known.score >= threshold)
    return (1 - UNKNOWN_SHARE)*right.mean() + UNKNOWN_SHARE*(strangers.score < threshold).mean()


def rates(table, for_fpir, for_accuracy):
    "Rates of searches, some of them at the thresholds that were calibrated for an FPIR of 0.05 and for accuracy."
    return {'rank-1': cmc(table, 1)[1],
            'DIR at FPIR 0.01': dir_at(table, 0.01), 'DIR at FPIR 0.05': dir_at(table, 0.05),
            'FPIR at a target of 0.05': (table.score[~table.mated] >= for_fpir).mean(),
            'accuracy there': accuracy(table, for_fpir),
            'accuracy at the threshold for it': accuracy(table, for_accuracy),
            'highest accuracy': max(accuracy(table, t) for t in np.unique(table.score))}


def measured(way, split, crops, found):
    "A row for each gallery and camera."
    (enrolled, probes), rows = split_of(crops, split), []
    for kind, gallery in galleries(enrolled['gt'], found['good'], found['degraded']).items():
        aims = dict(fpir=0.05), dict(unknown_share=UNKNOWN_SHARE)
        thresholds = [gallery.calibrate(**aim).threshold for aim in aims]
        for camera in ('none', *STORES):
            table = searches(gallery.scores(found[camera], ''), gallery.names, probes['gt'])
            rows.append({'training': way, 'gallery': kind, 'camera': camera, **rates(table, *thresholds)})
    return rows


def with_ensemble(found):
    "Embeddings by way to train, followed by those of the first and the last as an ensemble."
    if len(found) < 2: return found
    (first, a), *_, (last, b) = found.items()
    return found | {f'{first}; {last}: ensemble': {part: torch.cat([a[part], b[part]], dim=1)/2**.5 for part in b}}


def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'),
                        help='crops, frames and embeddings that are there are kept')
    parser.add_argument('--epochs', type=int, default=6)
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=[*WAYS], metavar='WAY', help='; '.join(WAYS))
    parser.add_argument('--splits', type=int, nargs='+', default=[0, 1])
    args = parser.parse_args()
    crops = align_faces(read_items(args.data/'trainset.csv'), args.out/'crops_with_margin', ALIGN)
    frames, rows = {store: taken_by(store, crops, args) for store in STORES}, []
    for split in args.splits:
        found = with_ensemble({way: embedded(way, split, crops, frames, args) for way in args.ways})
        rows += [row for way, of in found.items() for row in measured(way, split, crops, of)]
    by = pd.DataFrame(rows).groupby(['training', 'gallery', 'camera'], sort=False)
    table = by.mean().reset_index().round(4)
    print(table.to_string(index=False))
    if set(args.ways) == set(WAYS) and len(args.splits) > 1:
        with atomic_write(Path('benchmarks/poor_cameras.csv')) as tmp: table.to_csv(tmp, index=False)


if __name__ == '__main__': main()
