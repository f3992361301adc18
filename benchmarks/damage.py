"""Ways in which photos are poor, for trials: `KINDS`, each a function of a photo, a random generator and landmarks.

None of this is `degrade`, from which networks learn: it is made of Pillow, numpy and scipy, changes whole photos before
they are aligned, and draws from ranges of its own. Lengths are in pixels of photos of 250x250 with eyes some 42 pixels
apart, as LFW has them.
"""
import io, math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy.signal import fftconvolve

MASK_COLOURS = [(230, 235, 240), (160, 200, 225), (30, 30, 35), (200, 200, 190)]


def pixels_of(photo): return np.asarray(photo, dtype=float)/255


def compressed(pixels, quality):
    "Pixels `(H,W,3)`, 0 to 1, written as JPEG and read back."
    file = io.BytesIO()
    Image.fromarray((pixels.clip(0, 1)*255).round().astype(np.uint8)).save(file, 'JPEG', quality=int(quality))
    return Image.open(file).convert('RGB')


def with_noise(pixels, deviation, rng): return pixels + deviation*rng.normal(size=pixels.shape)


def dark(photo, rng, landmarks):
    "A quarter to a twelfth of the light."
    x = rng.uniform(.08, .25)*pixels_of(photo)**rng.uniform(1., 1.5)
    return compressed(with_noise(x, rng.uniform(.005, .02), rng), rng.uniform(70, 95))


def axes(landmarks):
    "The distance of the eyes, and vectors of one pixel from eye to eye and down the face."
    between = landmarks[1] - landmarks[0]
    distance = np.hypot(*between)
    right = between/distance
    return distance, right, np.array([-right[1], right[0]])


def draw_sunglasses(draw, landmarks, rng):
    "Two dark lenses and a bar."
    (eye, right, down), colour = axes(landmarks), tuple(rng.integers(0, 50, 3).tolist())
    turns = np.linspace(0, 2*math.pi, 24)[:, None]
    for centre in landmarks[:2]:
        lens = centre + .47*eye*np.cos(turns)*right + (.36*np.sin(turns) + .03)*eye*down
        draw.polygon([*map(tuple, lens)], fill=colour)
    ends = landmarks[0] - .6*eye*right, landmarks[1] + .6*eye*right
    draw.line([*map(tuple, ends)], fill=colour, width=max(2, int(.06*eye)))


def draw_mask(draw, landmarks, rng):
    "A mask from somewhere on the nose to below the chin."
    (eye, right, down), colour = axes(landmarks), MASK_COLOURS[rng.integers(4)]
    mouth, bridge = landmarks[3:].mean(axis=0), landmarks[2] - rng.uniform(.15, .45)*eye*down
    corners = [(bridge, 0, 0), (bridge, .95, .1), (mouth, .9, .15), (mouth, .45, .8),
               (mouth, -.45, .8), (mouth, -.9, .15), (bridge, -.95, .1)]
    draw.polygon([tuple(place + u*eye*right + v*eye*down) for place, u, v in corners], fill=colour)


def occluded(photo, rng, landmarks):
    "Sunglasses, or a mask over nose and mouth."
    photo = photo.copy()
    cover = draw_sunglasses if rng.random() < .5 else draw_mask
    cover(ImageDraw.Draw(photo), landmarks, rng)
    return compressed(pixels_of(photo), rng.uniform(75, 95))


def shifted(photo, dx, dy):
    moved = photo.transform(photo.size, Image.Transform.AFFINE, (1, 0, dx, 0, 1, dy), Image.Resampling.BILINEAR)
    return np.asarray(moved, dtype=float)


def motion(photo, rng, landmarks):
    "A movement along a straight line."
    length, angle = rng.uniform(9, 17), rng.uniform(0, math.pi)
    way = [(length*t*math.cos(angle), length*t*math.sin(angle)) for t in np.linspace(-.5, .5, 17)]
    x = np.mean([shifted(photo, *step) for step in way], axis=0)/255
    return compressed(with_noise(x, .01, rng), rng.uniform(70, 95))


def defocus(photo, rng, landmarks):
    "A lens out of focus: every point becomes a disc."
    radius = rng.uniform(6, 9.5)
    reach = math.ceil(radius)
    disc = (radius + .5 - np.hypot(*np.mgrid[-reach:reach + 1, -reach:reach + 1])).clip(0, 1)
    wider = np.pad(pixels_of(photo), ((reach, reach), (reach, reach), (0, 0)), mode='edge')
    x = fftconvolve(wider, disc[..., None]/disc.sum(), mode='valid', axes=(0, 1))
    return compressed(with_noise(x, .01, rng), rng.uniform(70, 95))


def reduced(photo, side): return photo.resize((side, side), Image.Resampling.BOX)


def tiny(photo, rng, landmarks):
    "A frame of 28 to 45 pixels, face and all."
    x = pixels_of(reduced(photo, round(rng.uniform(28, 45))))
    return compressed(with_noise(x, .012, rng), rng.uniform(55, 90))


def store(photo, rng, landmarks):
    "A frame of a wide-angle camera under a ceiling: small, a little soft, dim, noisy."
    small = reduced(photo, round(rng.uniform(42, 78))).filter(ImageFilter.GaussianBlur(rng.uniform(.2, .7)))
    x = rng.uniform(.4, .9)*pixels_of(small)**rng.uniform(.9, 1.3)
    return compressed(with_noise(x, rng.uniform(.01, .04)*np.sqrt(.3 + .7*x), rng), rng.uniform(45, 85))


KINDS = {kind.__name__: kind for kind in (dark, occluded, motion, defocus, tiny, store)}
