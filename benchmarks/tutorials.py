"""The tutorials from top to bottom on lfw125, with MobileFaceNet for the networks that need a GPU; their figures in
one table.

    python benchmarks/tutorials.py --data DIR --weights mobilefacenet.pt

The tutorial on degraded photos takes its own networks, `edgeface_s_gamma_05.onnx` and `w600k_mbf.onnx`, from the folder
of --weights, and photos of other people from --others, a folder or a CSV.

The executed notebooks and all that they write go to --out, which shows photos of real people and is not for publishing.
The table goes to benchmarks/tutorials.csv.
"""
import os
from pathlib import Path

import nbformat, pandas as pd
from nbconvert.preprocessors import ExecutePreprocessor
from facereid_nb.data import atomic_write
from lfw125 import arguments

TUTORIALS = {'arcface_reid_on_kaggle': 'arcface_reid', 'fourier_sphereface2_on_kaggle': 'fourier_sphereface2',
             'degraded_photos': 'degraded_photos'}
COLUMNS = ['tutorial', 'network', 'gallery', 'threshold for', 'threshold', 'accuracy', 'DIR', 'rank-1', 'FPIR']
notebooks = Path(__file__).resolve().parent.parent/'nbs'/'tutorials'

def settings(name, args):
    "What a tutorial reads from the environment."
    found = dict(FACEREID_BUDGET='cpu', FACEREID_DATA=args.data, FACEREID_WEIGHTS=args.weights)
    if name == 'degraded_photos':
        weights = args.weights.parent/'edgeface_s_gamma_05.onnx'
        found |= dict(FACEREID_WEIGHTS=weights, FACEREID_OTHERS=args.others)
    return {key: str(of.resolve()) if isinstance(of, Path) else of for key, of in found.items()}

def execute(name, out):
    "Run a tutorial with `out` as its folder, and keep the executed notebook there."
    nb = nbformat.read(notebooks/f'{name}.ipynb', as_version=4)
    ExecutePreprocessor(timeout=None).preprocess(nb, {'metadata': {'path': str(out)}})
    nbformat.write(nb, out/f'{name}.ipynb')

def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, help='photos of other people; default: others.csv beside the data')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/tutorials'))
    args = parser.parse_args()
    args.others = args.others or args.data.parent/'others'/'others.csv'
    args.out.mkdir(parents=True, exist_ok=True)
    tables = []
    for name, folder in TUTORIALS.items():
        os.environ |= settings(name, args)
        execute(name, args.out)
        tables.append(pd.read_csv(args.out/folder/'measured.csv').assign(tutorial=name))
    table = pd.concat(tables)[COLUMNS].fillna({'gallery': 'mean'})
    with atomic_write(Path('benchmarks/tutorials.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False))

if __name__ == '__main__': main()
