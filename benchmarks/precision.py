"""What reduced precision costs on real faces: lfw125 named in full and in reduced precision, without training.

    python benchmarks/precision.py --data DIR --weights mobilefacenet.pt [--out DIR]

Beside MobileFaceNet, the ONNX files in the folder of its weights. Everybody's training photos are enrolled, with mirror
images; the threshold is chosen on them alone, in full precision. Crops that are in --out are kept. A row for each
network and precision goes to benchmarks/precision.csv.
"""
from dataclasses import replace
from pathlib import Path

import pandas as pd, torch.nn.functional as F
from facereid_nb.backbones import native_input
from facereid_nb.data import atomic_write
from facereid_nb.evaluate import heldout_split, open_set_summary
from facereid_nb.model import ARCFACE, FaceModel, embed
from lfw125 import ALIGNMENT, aligned, answer, arguments, enrol, heldout_threshold, mobilefacenet


def recipes(weights):
    "MobileFaceNet, and the networks of the ONNX files beside its weights."
    yield 'mobilefacenet', mobilefacenet(weights)
    for file in sorted(weights.parent.glob('*.onnx')):
        yield file.name, replace(ARCFACE, backbone='onnx', weights=str(file), align=ALIGNMENT, **native_input(file))


def compared(recipe, train, test, labels):
    "A row for each precision."
    model, full, threshold = FaceModel(recipe), None, None
    for precision in ('full', 'reduced'):
        model.recipe = replace(recipe, precision=precision)
        enrolled, searched = (embed(model, crops.path, mirror=True) for crops in (train, test))
        if full is None: full, threshold = searched, heldout_threshold(heldout_split(train), train, enrolled)
        found = open_set_summary(answer(enrol(train['gt'], enrolled), test, searched, threshold), labels)
        yield dict(precision=precision, accuracy=found.accuracy, rank_1=found['rank-1'], DIR=found.DIR, FPIR=found.FPIR,
                   least_cosine=F.cosine_similarity(searched, full).min().item())


def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    args = parser.parse_args()
    train, test = aligned(args.data, args.out)
    labels = pd.read_csv(args.data/'public_labels.csv')
    rows = [dict(network=name, **row) for name, recipe in recipes(args.weights)
            for row in compared(recipe, train, test, labels)]
    table = pd.DataFrame(rows).round(6)
    with atomic_write(Path('benchmarks/precision.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False))


if __name__ == '__main__': main()
