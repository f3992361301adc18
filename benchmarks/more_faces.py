"""What photos of other people, without names, bring to a student of the surveillance recipe.

    python benchmarks/more_faces.py --data DIR --others DIR

The first of surveillance.py's networks is trained on lfw125's training photos and 0 to all of the photos of `others`
but those of the unseen people, with as many steps whatever their number, three times each with other seeds, and without
learned alignment. Measured on the public answers of lfw125 and on the unseen people. A row for each number of photos,
seed and kind of photos goes to benchmarks/more_faces.csv; what is there in --out is kept, so that several processes can
share the seeds.
"""
import time
from dataclasses import replace
from tempfile import TemporaryDirectory

import pandas as pd, torch
from safetensors.torch import load_file, save_file
from facereid_nb.data import atomic_write
from facereid_nb.evaluate import dir_at, searches
from facereid_nb.model import SURVEILLANCE
from facereid_nb.train import face_learner
from lfw125 import enrol
from surveillance import aligned, embedded, options, written
from unseen_people import measure as measure_unseen, trial_photos

NUMBERS, SEEDS = (0, 500, 1000, 2000, 3288), (0, 1, 2)
VIEWS = 6_000 # Photos that a student sees, repetitions included


def trained(number, seed, crops, more, args):
    "The network after training on the enrolled people and so many photos of others."
    chosen = more.sample(min(number, len(more)), random_state=seed).reset_index(drop=True)
    epochs = max(1, round(VIEWS/(len(crops) + len(chosen))))
    recipe = replace(SURVEILLANCE, weights=str(args.networks[0]), epochs=epochs, seed=seed, background=0.,
                     alignment_epochs=0)
    learn = face_learner(crops, recipe, more=chosen if number else None)
    with TemporaryDirectory() as folder, learn.no_bar(), learn.no_logging():
        learn.fit_recipe(f'{folder}/model.safetensors')
    return learn.model.eval()


def found_by(number, seed, photos, args):
    "Embeddings of everything by one student."
    file = args.out/f'more faces {number} {seed}.safetensors'
    if file.exists(): return load_file(file)
    crops, tests, more, (_, unseen) = photos
    found = embedded(trained(number, seed, crops, more, args), crops, tests, unseen)
    found = {part: of for part, of in found.items() if isinstance(of, torch.Tensor)}
    with atomic_write(file) as tmp: save_file(found, tmp)
    return found


def rows_of(found, photos):
    "Rank-1 and DIR at an FPIR of 0.01 for each kind of photos."
    crops, tests, _, (names, unseen) = photos
    gallery = enrol(crops['gt'], found['enrolled'])
    for part, items in tests.items():
        table = searches(gallery.scores(found[part], ''), gallery.names, items['gt'])
        yield {'people': 'lfw125', 'photos': part, 'DIR at FPIR 0.01': dir_at(table, 0.01)}
    of_unseen = measure_unseen({kind: found[kind] for kind in unseen}, names, None)
    for kind, rate in zip(of_unseen.photos, of_unseen['DIR at FPIR 0.01']):
        yield {'people': 'unseen', 'photos': kind, 'DIR at FPIR 0.01': rate}


def main():
    parser, started = options(__doc__), time.time()
    parser.add_argument('--seeds', type=int, nargs='+', default=SEEDS)
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'
    crops, tests, more = aligned(args, SURVEILLANCE.preprocessing.align)
    photos, rows = (crops, tests, more, trial_photos(args)), []
    for seed in args.seeds:
        for number in NUMBERS:
            found = found_by(number, seed, photos, args)
            rows += [{'more': number, 'seed': seed} | row for row in rows_of(found, photos)]
            print(f'{number} photos, seed {seed} ({time.time() - started:.0f} s)', flush=True)
    table = pd.DataFrame(rows).round(4)
    if set(args.seeds) == set(SEEDS): written('more_faces', table)
    print(table.pivot_table('DIR at FPIR 0.01', ['people', 'photos'], 'more').to_string())


if __name__ == '__main__': main()
