"""Are the photos found that would spoil a gallery, and how many good ones are suspected? Real faces, random splits.

    python benchmarks/enrolment.py --data DIR --models A.safetensors mobilefacenet.pt

The limits for a photo alone are chosen on photos of `others` and hold for any network: 1 in 200 good photos is beyond
each. benchmarks/enrolment_limits.csv has them, with the fractions beyond them of the good photos of `others` and of
lfw125, and of photos poor in the ways of `damage`. The least side is the smallest of SIDES at which no more than 1 %
more of the photos of `others`, reduced, are taken for strangers by the first of the models.

Then lfw125's training photos are enrolled with 5 % of them under wrong names (photos of other people there and of
`others`, half and half) and 5 % ruined in the ways of `ruin`, which the limits were not chosen with. In each split a
fifth of the people are strangers and a fifth of the others' photos are searched with, as they are (`good`) and as
`damage.store` has them. benchmarks/enrolment.csv has for each model and kind of photo how many were found, and
benchmarks/enrolment_galleries.csv the rates of galleries with nothing planted (`clean`), with everything (`poisoned`)
and without the suspects (`cleaned`), calibrated for an FPIR of 0.01; every stranger weighs the same.
"""
import warnings
from itertools import cycle
from pathlib import Path

import numpy as np, pandas as pd, torch
import facereid_nb.calibrate # noqa: F401, gives galleries their `calibrate`
from facereid_nb.align import align_images, face_detector
from facereid_nb.data import UNKNOWN, atomic_write, open_image, progress, read_items
from facereid_nb.enrolment import Limits, find_suspects, sharpness
from facereid_nb.evaluate import at_threshold, cmc, dir_at, heldout_split, searches
from facereid_nb.model import embed
from damage import KINDS, reduced
from lfw125 import arguments, enrol, fpir_over_people, rows_of
from ruin import RUINS
from unseen_people import WITH_MARGIN, models_of, seen_by

FPIR, REFUSED, WORSE = 0.01, 0.005, 0.01
SIDES = (8, 10, 12, 14, 16, 20, 24, 28, 32, 40)
RUINED = 400 # Photos that are ruined in each way
SHOWN = ['status', 'n_faces', 'side', 'probability', 'sharpness']


def shown_in(crop):
    "What `enrolment.examine` says of a photo, from its crop."
    has_face = crop.status == 'aligned'
    side = (crop.box[2:] - crop.box[:2]).max() if has_face else np.nan
    return dict(status=crop.status, n_faces=crop.n_faces, side=side,
                probability=crop.probability if has_face else np.nan,
                sharpness=sharpness(crop.image, WITH_MARGIN.margin) if has_face else np.nan,
                landmarks=crop.landmarks.ravel().tolist() if has_face else None)


def photos_by(name, make, rows, args):
    "A table of photos, `make(row)` for each of `rows`, and their crops with a margin `(N,168,168,3)`; kept in --out."
    table, crops = (args.out/f'enrolment {name}{suffix}' for suffix in ('.json', '.npy'))
    if not (table.exists() and crops.exists()):
        detector, found = face_detector(WITH_MARGIN), []
        for start in progress(range(0, len(rows), 16), desc=name):
            found += align_images([make(row) for row in rows[start:start + 16]], WITH_MARGIN, detector)
        with atomic_write(crops) as tmp: np.save(tmp, np.stack([crop.image for crop in found]))
        with atomic_write(table) as tmp: pd.DataFrame(map(shown_in, found)).assign(row=rows).to_json(tmp)
    return pd.read_json(table), np.load(crops)


def good_photos(name, items, args):
    "Photos as they are, with their names."
    table, crops = photos_by(f'{name} good', lambda row: open_image(items.path[row]), np.arange(len(items)), args)
    return table.assign(gt=items['gt'], image_path=items.image_path), crops


def photos_like(name, kind, make, good, items, n, args):
    "Copies of n of the good photos, drawn at random, made by `make(photo, rng, landmarks, other)`."
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.flatnonzero(good.status == 'aligned'))[:n]

    def copy(row):
        others = np.flatnonzero(items['gt'] != items['gt'][row])
        landmarks = np.array(good.landmarks[row]).reshape(5, 2)
        return make(open_image(items.path[row]), rng, landmarks, open_image(items.path[rng.choice(others)]))
    return photos_by(f'{name} {kind}', copy, rows, args)


def poor(kind): return lambda photo, rng, landmarks, other: KINDS[kind](photo, rng, landmarks)


def to_side(side):
    "Photos reduced so that the face has about this side, as LFW's faces are some 112 pixels of 250."
    return lambda photo, rng, landmarks, other: reduced(photo, round(photo.width*side/112))


def embeddings_of(model, table, crops):
    "Embeddings with mirror images, NaN without a face."
    found = embed(model, seen_by(model, crops), mirror=True)
    found[(table.status != 'aligned').to_numpy()] = torch.nan
    return found


def strangers_reach(gallery, fraction=0.001):
    "The cosine with somebody else's mean that a fraction of the photos of a gallery reaches."
    cosines = gallery.embeddings @ gallery.templates.T
    return np.quantile(cosines[gallery.owners[:, None] != torch.arange(len(gallery))].numpy(), 1 - fraction)


def taken_for_strangers(own, good, copies):
    "Fraction of copies, a table and embeddings, less like their person's other photos than a stranger in 1000."
    table, embeddings = copies
    gallery = enrol(good['gt'], own)
    person = [gallery.names.index(name) for name in good['gt'][table.row]]
    others = torch.nn.functional.normalize(gallery.sums[person] - own[table.row.to_numpy()])
    similar = (embeddings*others).sum(dim=1)
    return float((similar < strangers_reach(gallery))[similar.isfinite()].float().mean())


def sides(models, good, crops, items, args):
    "How many more photos are taken for strangers where faces are small, a row per model and side."
    copies, rows = {side: photos_like('others', f'side {side}', to_side(side), good, items, RUINED, args)
                    for side in (112, *SIDES)}, []
    for name, model in models.items():
        own = embeddings_of(model, good, crops)
        of = {side: taken_for_strangers(own, good, (table, embeddings_of(model, table, copied)))
              for side, (table, copied) in copies.items()}
        rows += [dict(model=name, side=side, measured=copies[side][0].side.median(), worse=of[side] - of[112])
                 for side in SIDES]
    return rows


def beyond(limits, tables):
    "Fraction of the photos in each table with a face that is beyond each limit, a row per limit."
    aligned = {name: table[table.status == 'aligned'] for name, table in tables.items()}
    return [{'limit': name, 'value': value, **{kind: (of[name] < value).mean() for kind, of in aligned.items()}}
            for name, value in limits.items()]


def choose(models, good, crops, items, args):
    "The limits for a photo alone; the table of the sides goes to a file."
    table = pd.DataFrame(sides(models, good, crops, items, args))
    with atomic_write(Path('benchmarks/enrolment_sides.csv')) as tmp: table.round(4).to_csv(tmp, index=False)
    too_small = table.side[table.worse > WORSE]
    least = min(side for side in SIDES if side > max(too_small, default=0))
    aligned = good[good.status == 'aligned']
    return dict(side=least, **{name: float(aligned[name].quantile(REFUSED)) for name in ('sharpness', 'probability')})


def planted(enrolled, found, ruined, strangers, seed):
    """A table of photos to enrol, of which 5 % are ruined and 5 % under a wrong name, with `kind`, and embeddings.
    Everything is a table and embeddings: `found` the photos, `ruined` copies of each kind, `strangers` others."""
    rng, (good, embeddings) = np.random.default_rng(seed), found
    rows = rows_of(enrolled, good)
    table, e = good.iloc[rows].reset_index(drop=True).assign(kind='good'), embeddings[rows]
    n = round(len(table)/20)
    copied = next(iter(ruined.values()))[0].row
    spoilt, misnamed = np.split(rng.permutation(np.flatnonzero(np.isin(rows, copied))), [n])
    misnamed = rng.permutation(np.setdiff1d(np.arange(len(table)), spoilt))[:n]

    def put(i, of, row):
        "Photo number `row` of some others in the place of photo i."
        table.loc[i, SHOWN] = of[0].loc[row, SHOWN]
        e[i] = of[1][row]
    for i, kind in zip(spoilt, cycle(ruined)):
        put(i, ruined[kind], np.flatnonzero(ruined[kind][0].row == rows[i])[0])
        table.loc[i, 'kind'] = kind
    for i, kind in zip(misnamed, cycle(('somebody enrolled', 'a stranger'))):
        if kind == 'a stranger': put(i, strangers, rng.integers(len(strangers[0])))
        else: table.loc[i, 'gt'] = rng.choice(np.setdiff1d(table['gt'].unique(), table['gt'][i]))
        table.loc[i, 'kind'] = kind
    return table, e


def rates(names, embeddings, background, searched, probes):
    "Rates of a gallery, a row per kind of searches; photos without a face are left out."
    gallery = enrol(names, embeddings)
    if background is not None: gallery.use_background(background, '')
    threshold = gallery.calibrate(FPIR, n_bootstrap=1).threshold
    rows, stranger = [], (probes['gt'] == UNKNOWN).to_numpy()
    for kind, e in searched.items():
        table = searches(gallery.scores(e, ''), gallery.names, probes['gt'])
        rows.append({'searched': kind, 'rank-1': cmc(table, 1)[1], f'DIR at FPIR {FPIR}': dir_at(table, FPIR),
                     'threshold': threshold, 'DIR': at_threshold(table, threshold).DIR,
                     'FPIR': fpir_over_people(table.score[stranger], probes.person[stranger], threshold)})
    return rows


def trial(found, ruined, strangers, stored, background, limits, seed):
    "Of one split: a row per photo with its `kind` and the reason why it is suspect; a row per gallery and searches."
    good, embeddings = found
    enrolled, probes = heldout_split(good, seed=seed)
    table, e = planted(enrolled, found, ruined, strangers, seed)
    suspects = find_suspects(table, e, None, None if background is None else background[0].float(), limits)
    reason = table.image_path.map(suspects.set_index('image_path').reason)
    rows, there = rows_of(enrolled, good), e.isfinite().all(dim=1).numpy()
    asked = rows_of(probes, good)
    searched = dict(good=embeddings[asked], store=stored[asked])
    probes = probes.assign(person=good['gt'].iloc[asked].to_numpy())
    of = dict(clean=(enrolled['gt'], embeddings[rows]), poisoned=(table['gt'][there], e[there]),
              cleaned=(table['gt'][there & reason.isna()], e[there & reason.isna().to_numpy()]))
    galleries = [dict(gallery=kind, **row) for kind, names_and_photos in of.items()
                 for row in rates(*names_and_photos, background, searched, probes)]
    return table[['kind']].assign(reason=reason), galleries


def strangers_of(model, table, crops):
    "Photos of people who aren't in the model's background, as a table and embeddings."
    found = embeddings_of(model, table, crops)
    usable = found.isfinite().all(dim=1)
    if model.background is not None: usable &= ~(found @ model.background[0].float().T > .9).any(dim=1)
    return table[usable.numpy()].reset_index(drop=True), found[usable]


def measure(model, ours, ruined, theirs, stored, limits, splits):
    "What a model finds among planted photos, and what galleries are worth: means over splits."
    good = ours[0], embeddings_of(model, *ours)
    ruins = {kind: (of[0], embeddings_of(model, *of)) for kind, of in ruined.items()}
    strangers, as_stored = strangers_of(model, *theirs), torch.full_like(good[1], torch.nan)
    as_stored[stored[0].row.to_numpy()] = embeddings_of(model, *stored)
    photos, galleries = zip(*(trial(good, ruins, strangers, as_stored, model.background, limits, seed)
                              for seed in progress(range(splits))))
    photos = pd.concat(photos)
    by = photos.assign(suspect=photos.reason.notna()).groupby('kind', sort=False)
    found = pd.DataFrame(dict(photos=by.size(), suspect=by.suspect.mean(), reasons=by.reason.agg(counted)))
    of = pd.DataFrame(sum(galleries, [])).groupby(['gallery', 'searched'], sort=False)
    return found.reset_index(), of.mean().reset_index()


def counted(reasons):
    "Reasons in words, the most frequent first."
    return ', '.join(f'{n} {reason}' for reason, n in reasons.value_counts().items())


def main():
    parser = arguments(__doc__)
    parser.add_argument('--others', type=Path, help='folder of `others`; default: beside that of --data')
    parser.add_argument('--models', nargs='+', metavar='FILE')
    parser.add_argument('--out', type=Path, default=Path('benchmarks/lfw125'))
    parser.add_argument('--splits', type=int, default=20)
    args = parser.parse_args()
    warnings.simplefilter('ignore')
    models = dict(models_of(text) for text in args.models or [str(args.weights)])
    others = read_items((args.others or args.data.parent/'others')/'others.csv')
    others = others[others['gt'].map(others['gt'].value_counts()) > 1].reset_index(drop=True)
    items = read_items(args.data/'trainset.csv')
    theirs, their_crops = good_photos('others', others, args)
    ours, our_crops = good_photos('lfw125', items, args)

    limits = choose(models, theirs, their_crops, others, args)
    poor_ones = {kind: photos_like('others', kind, poor(kind), theirs, others, RUINED, args)[0] for kind in KINDS}
    table = pd.DataFrame(beyond(limits, dict(others=theirs, lfw125=ours) | poor_ones)).round(4)
    with atomic_write(Path('benchmarks/enrolment_limits.csv')) as tmp: table.to_csv(tmp, index=False)
    print(table.to_string(index=False), flush=True)

    ruined = {kind: photos_like('lfw125', kind, make, ours, items, RUINED, args) for kind, make in RUINS.items()}
    stored = photos_like('lfw125', 'store', poor('store'), ours, items, len(items), args)
    rows, galleries = [], []
    for name, model in models.items():
        found = measure(model, (ours, our_crops), ruined, (theirs, their_crops), stored, Limits(**limits), args.splits)
        for tables, table in zip((rows, galleries), found): tables.append(table.assign(model=name))
    for name, tables in (('enrolment', rows), ('enrolment_galleries', galleries)):
        table = pd.concat(tables).round(4)
        table.insert(0, 'model', table.pop('model'))
        with atomic_write(Path(f'benchmarks/{name}.csv')) as tmp: table.to_csv(tmp, index=False)
        print(table.to_string(index=False))


if __name__ == '__main__': main()
