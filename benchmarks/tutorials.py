"""The tutorials from top to bottom on lfw125, with MobileFaceNet for the networks that need a GPU; their figures in
one table.

    python benchmarks/tutorials.py --data DIR --weights mobilefacenet.pt

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

def execute(name, out):
    "Run a tutorial with `out` as its folder, and keep the executed notebook there."
    nb = nbformat.read(notebooks/f'{name}.ipynb', as_version=4)
    ExecutePreprocessor(timeout=None).preprocess(nb, {'metadata': {'path': str(out)}})
    nbformat.write(nb, out/f'{name}.ipynb')

def main():
    parser = arguments(__doc__)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/tutorials'))
    args = parser.parse_args()
    os.environ |= dict(FACEREID_BUDGET='cpu', FACEREID_DATA=str(args.data.resolve()),
                       FACEREID_WEIGHTS=str(args.weights.resolve()))
    args.out.mkdir(parents=True, exist_ok=True)
    tables = []
    for name, folder in TUTORIALS.items():
        execute(name, args.out)
        tables.append(pd.read_csv(args.out/folder/'measured.csv').assign(tutorial=name))
    table = pd.concat(tables)[COLUMNS].fillna({'gallery': 'mean'})
    with atomic_write(Path('benchmarks/tutorials.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False))

if __name__ == '__main__': main()
