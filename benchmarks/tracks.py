"""What do several poor frames of a person say together? Tracks of 1, 2, 4 and 8 frames, real faces.

    python benchmarks/tracks.py --models A.safetensors B.safetensors

A frame is what `damage.store` makes of a photo, as a wide-angle camera under a ceiling would give it (like lfw125's
`test_cctv`); a track is up to eight such frames of one photo, each drawn for itself and aligned for itself. So the
frames of a track differ in what the camera does and not in how the head is held, which makes them more alike than those
of a video. Models are measured each, and joined as an ensemble.

`unseen` are the people in `others` of whom there are four photos, whom no network was trained on (see
unseen_people.py): in each of six draws two thirds are enrolled with three good photos. How frames are weighted is
chosen on them. `test` are lfw125's test photos whose answers are public, its training photos are enrolled. The
threshold is calibrated on the gallery and the model's background, for single faces and an FPIR of 0.01. A row for each
model, kind of people, weighting and number of frames goes to benchmarks/tracks.csv. What networks make of frames is
kept in --out.

Is the threshold for single faces that for tracks? With --thresholds, tracks of the people of the background are made by
the recipe's camera, not by `store`, and lfw125's gallery is calibrated with tracks of 1, 2 and 4 frames in the place of
single degraded faces. A row for each model and number of frames goes to benchmarks/track_thresholds.csv.
"""
import time
from pathlib import Path

import numpy as np, pandas as pd, torch, torch.nn.functional as F
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces, align_images, face_detector
from facereid_nb.data import atomic_write, open_image, progress, read_items
from facereid_nb.evaluate import at_threshold, cmc, det_curve, dir_at, searches
from facereid_nb.gallery import Gallery, GallerySettings
from facereid_nb.model import SURVEILLANCE, embed, embed_with_quality, joined, load_model
from facereid_nb.train import held_out_people
from facereid_nb.video import track_weights
from damage import store
from lfw125 import arguments
from surveillance import NETWORKS
from unseen_people import DRAWS, FPIR, WITH_MARGIN, draw, seen_by, trial_people

LENGTHS = 1, 2, 4, 8
WEIGHTINGS = {'none': torch.ones_like, 'quality': lambda quality: quality, 'inverse variance': track_weights}
HALVES = torch.tensor([0.5, 0.5])


def frames_of(path, row, detector):
    "Crops `(8,168,168,3)` of the frames of a photo."
    photo = open_image(path)
    frames = [store(photo, np.random.default_rng((row, n)), None) for n in range(LENGTHS[-1])]
    return np.stack([crop.image for crop in align_images(frames, WITH_MARGIN, detector)])


def tracks_of(models, paths, args, part):
    "By model: embeddings `(N,8,D)` and quality `(N,8)` of the frames of N photos."
    files = {name: args.out/f'tracks {part} {name}.npz' for name in models}
    if not all(file.exists() for file in files.values()):
        detector, found = face_detector(WITH_MARGIN), {name: [] for name in models}
        for row, path in enumerate(progress(paths, desc=f'tracks of {part}')):
            crops = frames_of(path, row, detector)
            for name, model in models.items():
                found[name].append(embed_with_quality(model, seen_by(model, crops), mirror=True))
        for name, of in found.items():
            with atomic_write(files[name]) as tmp:
                np.savez(tmp, embeddings=torch.stack([e for e, _ in of]), quality=torch.stack([q for _, q in of]))
    loaded = {name: np.load(file) for name, file in files.items()}
    return {name: tuple(torch.from_numpy(of[k]) for k in ('embeddings', 'quality')) for name, of in loaded.items()}


def both(a, b):
    "Embeddings and quality of two models as of one, the quality as the mean of theirs."
    return joined([a[0], b[0]], HALVES), (a[1] + b[1])/2


def track_embeddings(tracks, n, weighting):
    "`(N,D)`: the weighted mean of the first n frames."
    embeddings, quality = (of[:, :n] for of in tracks)
    return F.normalize((WEIGHTINGS[weighting](quality)[:, :, None]*embeddings).sum(dim=1), dim=1)


def gallery_of(names, enrolled, background, degraded=None):
    gallery = Gallery('', GallerySettings(mirror=True))
    gallery.use_background(background, '')
    gallery.add_photos(names, enrolled, '', probes=degraded)
    return gallery


def rates(gallery, embeddings, names, threshold):
    "Rates of some searches, at their own threshold and at the calibrated one."
    table = searches(gallery.scores(embeddings, ''), gallery.names, names)
    there, curve = at_threshold(table, threshold), det_curve(table)
    share = table.mated.mean()
    return {'rank-1': cmc(table, 1)[1], f'DIR at FPIR {FPIR}': dir_at(table, FPIR),
            'highest accuracy': (share*(1 - curve.FNIR) + (1 - share)*(1 - curve.FPIR)).max(),
            'accuracy': there.accuracy, 'DIR': there.DIR, 'FPIR': there.FPIR}


def rows_of(gallery, tracks, names, of):
    "A row for each weighting and length."
    threshold = gallery.calibrate(FPIR).threshold
    return [dict(of, weighting=weighting, frames=n)
            | rates(gallery, track_embeddings(tracks, n, weighting), names, threshold)
            for weighting in WEIGHTINGS for n in LENGTHS]


def measure_unseen(names, good, tracks, background, of):
    "Mean rates over draws for people whom no network knows."
    rows = []
    for seed in range(DRAWS):
        enrolled, mated, non_mated = draw(names, seed)
        probes = np.r_[mated, non_mated]
        gallery = gallery_of(names[enrolled], good[enrolled], background)
        rows += rows_of(gallery, tuple(t[probes] for t in tracks), names[probes], of)
    return pd.DataFrame(rows).groupby([*of, 'weighting', 'frames'], sort=False).mean().reset_index()


def written(name, table):
    with atomic_write(Path(f'benchmarks/{name}.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False), flush=True)


def background_crops(args):
    "The photos that models of the recipe keep as their background, as surveillance.py trains them."
    others, train = read_items(args.others/'others.csv'), read_items(args.data/'trainset.csv')
    more = others[~others['gt'].isin(trial_people(others)['gt']) & ~others['gt'].isin(train['gt'])]
    split = SURVEILLANCE.split
    strangers = more[more['gt'].isin(held_out_people(more['gt'], split.background, split.seed))]
    return align_faces(strangers.drop_duplicates('gt').reset_index(drop=True), args.out/'others', WITH_MARGIN)


def draws_of(model, paths, n):
    "`(n,N,D)`: degraded copies, other ones each time, as each batch has its own."
    found = []
    for seed in range(n):
        order = torch.randperm(len(paths), generator=torch.Generator().manual_seed(seed))
        embeddings = embed(model, paths.iloc[order.numpy()], mirror=True, camera=SURVEILLANCE.distillation.camera)
        found.append(embeddings[order.argsort()])
    return torch.stack(found)


def thresholds(name, model, found, names, args):
    "A row for each number of frames of the background's tracks."
    crops, rows = background_crops(args), []
    good, draws = embed(model, crops.path, mirror=True), draws_of(model, crops.path, LENGTHS[-2])
    assert ((good[:, None]*model.background[0].float()).sum(dim=-1).amax(dim=1) > 0.999).all()
    for n in LENGTHS[:-1]:
        background = torch.stack([good, F.normalize(draws[:n].mean(dim=0), dim=1)])
        gallery = gallery_of(names, found['enrolled'], background, found['degraded'])
        threshold = gallery.calibrate(FPIR).threshold
        if n == 1: single = threshold
        at_single = (gallery.background_scores()[1] >= single).float().mean().item()
        rows.append(dict(model=name, frames=n, threshold=threshold, FPIR=at_single, people=len(good)))
    return rows


def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, help='folder of other people; default: beside that of --data')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--models', type=Path, nargs=2, help='default: those that surveillance.py has trained in --out')
    parser.add_argument('--thresholds', action='store_true', help='calibrate with tracks, and nothing else')
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'
    paths = args.models or [args.out/f'surveillance {name}.safetensors' for name in NETWORKS]
    models, started = {path.stem: load_model(path) for path in paths}, time.time()

    unseen = align_faces(trial_people(read_items(args.others/'others.csv')), args.out/'unseen people', WITH_MARGIN)
    train = align_faces(read_items(args.data/'trainset.csv'), args.out/'crops_with_margin', WITH_MARGIN)
    labels = read_items(args.data/'public_labels.csv', args.data/'test')
    camera = SURVEILLANCE.distillation.camera
    found = {name: dict(good=embed(model, unseen.path, mirror=True), enrolled=embed(model, train.path, mirror=True),
                        degraded=embed(model, train.path, mirror=True, camera=camera), background=model.background)
             for name, model in models.items()}
    if args.thresholds:
        return written('track_thresholds', pd.DataFrame([row for name, model in models.items() for row in thresholds(
            name, model, found[name], train['gt'], args)]).round(4))
    of_unseen = tracks_of(models, [args.others/path for path in unseen.image_path], args, 'unseen')
    of_test = tracks_of(models, labels.path, args, 'test')
    print(f'embedded ({time.time() - started:.0f} s)', flush=True)

    a, b = models
    found['both'] = {key: joined([found[a][key], found[b][key]], HALVES) for key in found[a]}
    for tracks in (of_unseen, of_test): tracks['both'] = both(tracks[a], tracks[b])
    tables = []
    for name, of in found.items():
        tables.append(measure_unseen(unseen['gt'].to_numpy(), of['good'], of_unseen[name], of['background'],
                                     dict(model=name, people='unseen')))
        gallery = gallery_of(train['gt'], of['enrolled'], of['background'], of['degraded'])
        tables.append(pd.DataFrame(rows_of(gallery, of_test[name], labels['gt'], dict(model=name, people='test'))))
    table = pd.concat(tables).round(4)
    written('tracks', table)
    print(f'{time.time() - started:.0f} s in all')


if __name__ == '__main__': main()
