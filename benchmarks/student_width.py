"""What a student learns from teachers with wider embeddings than its own: MobileFaceNet, of 128 numbers, from itself
and from the two networks of surveillance.py joined, of 1,024.

    python benchmarks/student_width.py --data DIR --others DIR --weights mobilefacenet.pt

Trained by the recipe `surveillance`, with fewer views and without learned alignment, on lfw125's training photos and on
those of `others` but for the unseen people, who measure it. For comparison, the teachers are measured too, and their
joined embeddings as `student_targets` narrows them to the student's width, with the axes of all these photos. A row for
each of them and kind of photos goes to benchmarks/student_width.csv.
"""
from dataclasses import replace
from tempfile import TemporaryDirectory

import pandas as pd, torch
from facereid_nb.backbones import native_input
from facereid_nb.distill import student_targets
from facereid_nb.model import SURVEILLANCE, FaceModel, embed
from facereid_nb.train import face_learner
from surveillance import aligned, options, pair, untrained, written
from unseen_people import embedded, measure, trial_photos

VIEWS = 24_000 # Photos that a student sees, repetitions included


def narrow(weights, **changes):
    "The recipe, with MobileFaceNet."
    network = dict(backbone='mobilefacenet', weights=str(weights), **native_input('mobilefacenet'))
    return replace(SURVEILLANCE, background=0., alignment_epochs=0, **network, **changes)


def student(teachers, crops, more, args):
    "MobileFaceNet taught by these teachers."
    epochs = round(VIEWS/(len(crops) + len(more)))
    learn = face_learner(crops, narrow(args.weights, teachers=teachers, epochs=epochs), more=more)
    with TemporaryDirectory() as folder, learn.no_bar(), learn.no_logging():
        learn.fit_recipe(f'{folder}/model.safetensors')
    return learn.model.eval()


def narrowed(joined, start):
    "Joined embeddings of each kind of photos in the width of those in `start`."
    kinds = student_targets(torch.cat([*joined.values()]), torch.cat([*start.values()]))
    return dict(zip(joined, kinds.split([len(of) for of in joined.values()])))


def main():
    args = options(__doc__).parse_args()
    args.others = args.others or args.data.parent/'others'
    crops, _, more = aligned(args, SURVEILLANCE.preprocessing.align)
    names, unseen = trial_photos(args)
    start = FaceModel(narrow(args.weights, epochs=0)).eval()
    teachers = [untrained(network) for network in args.networks]
    trained_on = [*crops.path, *more.path]
    *wide, own = (embedded(model, unseen) | dict(trained_on=embed(model, trained_on, mirror=True))
                  for model in (*teachers, start))
    joined = pair(*wide)
    found = {'MobileFaceNet, no training': own, 'the two teachers': joined,
             'the two teachers, in 128 numbers': narrowed(joined, own)}
    for label, names_of in (('itself', ('own',)), ('the two teachers', tuple(map(str, args.networks)))):
        found[f'MobileFaceNet, taught by {label}'] = embedded(student(names_of, crops, more, args), unseen)
        print(label, flush=True)
    table = pd.concat([measure({kind: of[kind] for kind in unseen}, names, None).assign(model=name)
                       for name, of in found.items()]).round(4)
    written('student_width', table)
    print(table.pivot(index='model', columns='photos', values='DIR at FPIR 0.01').to_string())


if __name__ == '__main__': main()
