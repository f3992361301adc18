"""How to train for poor cameras, and what to compare with: trials on lfw125's training photos alone.

    python benchmarks/poor_cameras.py --data DIR --weights mobilefacenet.pt

A quarter of the people are the strangers. Of the others, a fifth of the photos is searched with, and MobileFaceNet is trained on the rest, as
the surveillance recipe says but for what a way to train changes, and for fewer epochs. Two such splits. What is searched
with are the photos as they are and as frames of three small cameras, which come from code of their own (Pillow; none of `degrade`) and are
aligned as any photo is.
Mean rates over both splits go to benchmarks/poor_cameras.csv, a row for each way, gallery and camera, once all ways and both splits are there:
--ways and --splits do some, so that several can go on side by side. Accuracy is foreseen and measured for 30 % strangers.
"""
import io, math
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from PIL import Image, ImageFilter
from safetensors.torch import load_file, save_file
from facereid_nb.align import align_faces, align_images
from facereid_nb.data import atomic_write, open_image, read_items
from facereid_nb.evaluate import cmc, dir_at, heldout_split, searches
from facereid_nb.gallery import Gallery, embed
from facereid_nb.train import SURVEILLANCE, face_learner
from lfw125 import arguments

@dataclass(frozen=True)
class Store:
    "What a small camera does to a whole photo: smallest and largest, drawn evenly for each photo."
    side:tuple # Width and height of the frame, pixels
    blur:tuple # Standard deviation of a Gaussian, frame pixels
    shake:float # Longest movement, frame pixels
    gain:tuple # Brightness
    noise:tuple # Standard deviation at full light
    quality:tuple # Of JPEG

STORES = {'store': Store((40, 75), (.3, .9), 0., (.45, .9), (.01, .04), (45, 85)),
          'shaking': Store((45, 90), (.2, .6), 2., (.6, 1.1), (.01, .03), (55, 90)),
          'harsh': Store((38, 60), (.5, 1.), 1., (.35, .8), (.02, .06), (30, 70))}

def frame(photo, store, rng):
    "A photo as a small camera gives it."
    side = round(rng.uniform(*store.side))
    small = photo.resize((side, side), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(rng.uniform(*store.blur)))
    length, angle = rng.uniform(0, store.shake), rng.uniform(0, math.pi)
    x = np.mean([moved(small, length*t*math.cos(angle), length*t*math.sin(angle)) for t in np.linspace(-.5, .5, 5 if length else 1)], axis=0)/255
    x = rng.uniform(*store.gain)*x**rng.uniform(0.9, 1.3)
    x = x + rng.uniform(*store.noise)*np.sqrt(0.3 + 0.7*x)*rng.normal(size=x.shape)
    file = io.BytesIO()
    Image.fromarray((x.clip(0, 1)*255).round().astype(np.uint8)).save(file, 'JPEG', quality=round(rng.uniform(*store.quality)))
    return Image.open(file).convert('RGB')

def moved(image, dx, dy):
    return np.asarray(image.transform(image.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), Image.Resampling.BILINEAR), dtype=float)

def taken_by(store, crops, args):
    "Face crops with a margin, `(N,168,168,3)`, from all photos' frames."
    file = args.out/f'frames {store}.npy'
    if not file.exists():
        rng = np.random.default_rng(0)
        taken = [frame(open_image(args.data/path), STORES[store], rng) for path in crops.image_path]
        with atomic_write(file) as tmp: np.save(tmp, np.stack([crop.image for crop in align_images(taken, SURVEILLANCE.align)]))
    return np.load(file)

WAYS = {'no training': dict(epochs=0), 'names': dict(classify=1., distill=0., relations=0., features=0., margin=0.3),
        'embedding': dict(relations=0., features=0.), 'embedding, relations, feature maps': {},
        'all that, of blended faces': dict(blend=SURVEILLANCE.blend), 'all that, moved into place': dict(blend=SURVEILLANCE.blend, realign=SURVEILLANCE.realign)}
UNKNOWN_SHARE = 0.3 # What accuracy is foreseen and measured for

def accuracy(table, threshold):
    "Expected part of right answers, were so many of the searches non-mated."
    known, strangers = table[table.mated], table[~table.mated]
    return (1 - UNKNOWN_SHARE)*((known['rank'] == 1) & (known.score >= threshold)).mean() + UNKNOWN_SHARE*(strangers.score < threshold).mean()

def embedded(way, split, crops, frames, args):
    "Embeddings of the enrolment photos, 'good' and 'poor', and of the probes as each camera gives them."
    file = args.out/f'trial {way} {split}.safetensors'
    if file.exists(): return load_file(file)
    enrolled, probes = split_of(crops, split)
    learn = face_learner(enrolled.drop(columns='row'), replace(SURVEILLANCE, **{'weights': str(args.weights), 'epochs': args.epochs, 'blend': 0., 'realign': 0, **WAYS[way]}))
    with TemporaryDirectory() as folder, learn.no_bar(): learn.fit_recipe(f'{folder}/model.safetensors')
    images = {'none': probes.path, **{store: [taken[i] for i in probes.row] for store, taken in frames.items()}}
    found = {'good': embed(learn.model, enrolled.path, mirror=True), 'poor': embed(learn.model, enrolled.path, mirror=True, camera=SURVEILLANCE.camera),
             **{store: embed(learn.model, of, mirror=True) for store, of in images.items()}}
    with atomic_write(file) as tmp: save_file(found, tmp)
    return found

def split_of(crops, split):
    "Photos to enrol and to train on, and photos to search with."
    return heldout_split(crops.assign(row=range(len(crops))), strangers=0.25, seed=split)

def measured(way, split, crops, found):
    "A row for each gallery and camera. No gallery is told who was trained on."
    enrolled, probes = split_of(crops, split)
    names, owners = np.unique(enrolled['gt'], return_inverse=True)
    good, poor, rows = found['good'], found['poor'], []
    both = F.normalize(good + poor), poor
    for kind, photos, options in (('good', (good, None), {}), ('good and poor', both, {}), ('good and poor, cohort of 30', both, dict(cohort=30)),
                                  ('good and poor, a quarter of the next', both, dict(cohort=1, cohort_weight=0.25))):
        gallery = Gallery('', True, names, photos[0], torch.tensor(owners), photos[1], **options)
        promised, best = gallery.calibrate(0.05), gallery.calibrate(unknown_share=UNKNOWN_SHARE)
        for camera in ('none', *STORES):
            table = searches(gallery.scores(found[camera], ''), names, probes['gt'])
            rows.append({'training': way, 'gallery': kind, 'camera': camera, 'split': split, 'rank-1': cmc(table, 1)[1], 'DIR at FPIR 0.01': dir_at(table, 0.01),
                         'DIR at FPIR 0.05': dir_at(table, 0.05), 'FPIR where 0.05 was promised': (table.score[~table.mated] >= promised.threshold).mean(),
                         'accuracy there': accuracy(table, promised.threshold), 'accuracy at the threshold for it': accuracy(table, best.threshold),
                         'highest accuracy': max(accuracy(table, t) for t in np.unique(table.score))})
    return rows

def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops, frames and embeddings that are there are kept')
    parser.add_argument('--epochs', type=int, default=6)
    parser.add_argument('--ways', nargs='+', choices=WAYS, default=[*WAYS], metavar='WAY', help='; '.join(WAYS))
    parser.add_argument('--splits', type=int, nargs='+', default=[0, 1])
    args = parser.parse_args()
    crops = align_faces(read_items(args.data/'trainset.csv'), args.out/SURVEILLANCE.crops_dir, SURVEILLANCE.align)
    frames, rows = {store: taken_by(store, crops, args) for store in STORES}, []
    for split in args.splits:
        found = {way: embedded(way, split, crops, frames, args) for way in args.ways}
        untrained, trained = [*found][0], [*found][-1]
        if len(found) > 1: found[f'{untrained}; {trained}: ensemble'] = {part: torch.cat([found[untrained][part], found[trained][part]], dim=1)/2**.5 for part in found[trained]}
        rows += [row for way, of in found.items() for row in measured(way, split, crops, of)]
    table = pd.DataFrame(rows).drop(columns='split').groupby(['training', 'gallery', 'camera'], sort=False).mean().reset_index().round(4)
    print(table.to_string(index=False))
    if set(args.ways) == set(WAYS) and len(args.splits) > 1:
        with atomic_write(Path('benchmarks/poor_cameras.csv')) as tmp: table.to_csv(tmp, index=False)

if __name__ == '__main__': main()
