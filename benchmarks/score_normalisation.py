"""One threshold for good and degraded photos: scores relative to other people's faces, in several ways, or as they are.

    python benchmarks/score_normalisation.py
    python benchmarks/score_normalisation.py --models A.onnx B.onnx A.onnx+B.onnx

Models are networks as they are published, several joined by + as an ensemble; without --models the three of the folder
of --weights. Photos and draws are those of `unseen_people.py`. The background are 800 of the other people of `others`,
a photo each, as it is and degraded by the surveillance recipe's camera; with both kinds the threshold is calibrated for
an FPIR of 0.01, as `Gallery.calibrate` does. A row for each model, way to score and kind of photos goes to
benchmarks/score_normalisation.csv, means over the draws: FPIR and DIR at that threshold, and the DIR at the one that
has an FPIR of 0.01 for these photos alone. Embeddings are kept in --out.
"""
from dataclasses import dataclass
from pathlib import Path

import numpy as np, pandas as pd, torch, torch.nn.functional as F
from safetensors.torch import load_file, save_file
from facereid_nb.align import align_faces
from facereid_nb.augment import degrade
from facereid_nb.calibrate import NonMated, first_at_fpir, identification_rates, threshold_for_fpir
from facereid_nb.data import atomic_write, read_items
from facereid_nb.model import LOW_QUALITY, embed
from lfw125 import ALIGNMENT, arguments
from unseen_people import draw, embedded, model_of, seen_by, trial_people, trial_photos

FPIR, DRAWS, N_BACKGROUND = 0.01, 12, 800


@dataclass(frozen=True)
class Way:
    "How a search is scored."
    compared:int|None = 0 # With the background as it is (0) or degraded (1); None: with nothing, scores are cosines
    nearest:int|None = None # So many of its faces; None: all
    copies:bool = False # Templates of enrolment photos and degraded copies of them


WAYS = {'cosines': Way(None), 'relative to the background': Way(), 'to its nearest 50': Way(nearest=50),
        'to its nearest 400': Way(nearest=400), 'to the degraded background': Way(1),
        'relative, degraded copies enrolled': Way(copies=True)}


def background_crops(args):
    "Crops of people who are not in the trial, a photo each, drawn once."
    items = read_items(args.others/'others.csv')
    others = items[~items['gt'].isin(trial_people(items)['gt'])].drop_duplicates('gt')
    chosen = np.random.default_rng(0).permutation(len(others))[:N_BACKGROUND]
    return align_faces(others.iloc[np.sort(chosen)].reset_index(drop=True), args.out/'other people', ALIGNMENT).path


def copies_of(crops):
    "Crops `(N,112,112,3)` as the recipe's camera takes them; none is drawn as `embed` draws those of the background."
    x = torch.tensor(crops).permute(0, 3, 1, 2)/255
    torch.manual_seed(1000)
    return (degrade(x, LOW_QUALITY)*255).round().byte().permute(0, 2, 3, 1).numpy()


def all_embeddings(path, photos, others, args):
    "Embeddings of the photos by kind, of degraded copies of the good ones, and of the background in both kinds."
    file = args.out/f'score normalisation {path.stem}.safetensors'
    if file.exists(): return load_file(file)
    model = model_of(path)
    found = embedded(model, photos)
    found['copies'] = embed(model, copies_of(seen_by(model, photos['good'])), mirror=True)
    for name, camera in (('background', None), ('degraded background', LOW_QUALITY)):
        found[name] = embed(model, others, mirror=True, camera=camera)
    with atomic_write(file) as tmp: save_file(found, tmp)
    return found


def joined(of_each):
    "The embeddings of an ensemble."
    return {kind: F.normalize(torch.cat([found[kind] for found in of_each], dim=1)) for kind in of_each[0]}


def relative(scores, faces, compared, nearest, own=False):
    "Scores `(N,P)` of faces `(N,D)` less the mean of their cosines with others, in deviations of these."
    cosines = faces @ compared.T
    if own: cosines = cosines[~torch.eye(len(faces), dtype=bool)].view(len(faces), -1)
    if nearest: cosines = cosines.topk(nearest, dim=1).values
    return (scores - cosines.mean(dim=1, keepdim=True))/cosines.std(dim=1, keepdim=True)


def scorer(way, templates, background):
    "A function of faces `(N,D)`, which may be the background's own, that scores them with all templates."
    def scored(faces, own=False):
        cosines = faces @ templates.T
        if way.compared is None: return cosines
        return relative(cosines, faces, background[way.compared], way.nearest, own)
    return scored


def templates_of(way, found, enrolled):
    "`(P,D)`, the means of three photos each."
    photos = F.normalize(found['good'] + found['copies']) if way.copies else found['good']
    return F.normalize(photos[enrolled].view(-1, 3, photos.shape[1]).mean(dim=1))


def calibrated(scored, background):
    "The threshold for the target FPIR, with both kinds of the background as searches of strangers."
    scores = np.stack([scored(faces, own=True).amax(dim=1).double() for faces in background])
    people = np.tile(np.arange(N_BACKGROUND), len(scores))
    return threshold_for_fpir(NonMated(scores.ravel(), people, np.zeros(len(people), dtype=bool), len(scores)), FPIR)


def rates(mated, non_mated, threshold):
    "Rates of searches at the threshold, and at their own."
    scores, nearest = mated.max(dim=1)
    right = np.where(nearest == torch.arange(len(mated)), scores, -np.inf)
    strangers = non_mated.amax(dim=1).numpy()
    curve = identification_rates(right, strangers)
    return {'FPIR': np.mean(strangers >= threshold), 'DIR': np.mean(right >= threshold),
            'DIR at its own FPIR 0.01': curve.DIR[first_at_fpir(curve, FPIR)]}


def measure(names, kinds, found):
    "Mean rates over the draws, a row for each way and kind of photos."
    background, rows = [found['background'], found['degraded background']], []
    for seed in range(DRAWS):
        enrolled, mated, non_mated = draw(names, seed)
        for name, way in WAYS.items():
            scored = scorer(way, templates_of(way, found, enrolled), background)
            threshold = calibrated(scored, background)
            rows += [{'way': name, 'photos': kind,
                      **rates(scored(found[kind][mated]), scored(found[kind][non_mated]), threshold)} for kind in kinds]
    return pd.DataFrame(rows).groupby(['way', 'photos'], sort=False).mean().reset_index()


def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, help='folder of `others`; default: beside that of --data')
    parser.add_argument('--models', nargs='+', metavar='FILE[+FILE]')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops and embeddings are kept')
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'
    small, edge = (args.weights.parent/f'{name}.onnx' for name in ('w600k_mbf', 'edgeface_s_gamma_05'))
    (names, photos), others = trial_photos(args), background_crops(args)
    tables = []
    for text in args.models or [str(args.weights), str(small), str(edge), f'{small}+{edge}']:
        paths = [Path(path) for path in text.split('+')]
        found = joined([all_embeddings(path, photos, others, args) for path in paths])
        tables.append(measure(names, [*photos], found).assign(model=' + '.join(path.stem for path in paths)).round(4))
        print(tables[-1].drop(columns='model').to_string(index=False), flush=True)
    table = pd.concat(tables)
    table.insert(0, 'model', table.pop('model'))
    with atomic_write(Path('benchmarks/score_normalisation.csv')) as tmp: table.to_csv(tmp, index=False)


if __name__ == '__main__': main()
