"""A gallery of people whom the model was trained on: is the FPIR that `Gallery.calibrate` aims at the one that
strangers get?

    python benchmarks/training_bias.py --data DIR --weights mobilefacenet.pt

MobileFaceNet is trained by the ArcFace recipe on the names of three fifths of the people of lfw125's training photos.
In each split half of the others are enrolled with them and calibrated, and the rest are the strangers. `matched` is
`calibrate` as it is; `not matched` is a gallery that doesn't know who was trained on. Rates weigh every stranger the
same. A row for each target FPIR goes to benchmarks/training_bias.csv: the mean over splits of the measured FPIR, and
its standard deviation.
"""
import warnings
from pathlib import Path

import numpy as np, pandas as pd
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_faces
from facereid_nb.data import atomic_write, read_items
from facereid_nb.model import ARCFACE, embed
from facereid_nb.train import face_learner
from lfw125 import ALIGNMENT, arguments, enrol, fpir_over_people, mobilefacenet

TARGETS = (0.01, 0.02, 0.05, 0.1)


def trial(names, embeddings, trained, seed):
    "Target and measured FPIR of one split, for each target, matched and not."
    others = np.random.default_rng(seed).permutation(sorted(set(names) - set(trained)))
    stranger, rows = names.isin(others[:len(others)//2]).to_numpy(), []
    for kind, people in (('matched', trained), ('not matched', ())):
        gallery = enrol(names[~stranger], embeddings[~stranger], trained=people)
        scores = gallery.scores(embeddings[stranger], '').amax(dim=1).numpy()
        for target in TARGETS:
            threshold = gallery.calibrate(target, n_bootstrap=2).threshold
            measured = fpir_over_people(scores, names[stranger], threshold)
            rows.append({'gallery': kind, 'target FPIR': target, 'measured FPIR': measured})
    return rows


def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'), help='crops and a model there are kept')
    parser.add_argument('--epochs', type=int, default=ARCFACE.schedule.epochs)
    parser.add_argument('--splits', type=int, default=200)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    items = align_faces(read_items(args.data/'trainset.csv'), args.out/'crops', ALIGNMENT)
    learn = face_learner(items, mobilefacenet(args.weights, hold_out=0.4, epochs=args.epochs))
    learn.fit_recipe(args.out/'training_bias.safetensors', resume=True)
    model = learn.model
    embeddings = embed(model, items.path, mirror=True)
    trials = [trial(items['gt'], embeddings, model.class_names, seed) for seed in range(args.splits)]
    by = pd.DataFrame([row for rows in trials for row in rows]).groupby(['gallery', 'target FPIR'])['measured FPIR']
    table = by.agg(**{'measured FPIR': 'mean', 'sd': 'std', 'splits': 'size'}).round(4)
    with atomic_write(Path('benchmarks/training_bias.csv')) as tmp: table.to_csv(tmp)
    print(table.to_string())


if __name__ == '__main__': main()
