"""Brings image files to an exported model's input by what its metadata says, with Pillow and NumPy alone.

Knows nothing of idarts: each line below is a step of `preprocessing` in the file's metadata. Takes JSON on stdin
(`preprocessing` and `files`, in base64); writes the inputs of all files, float32 [N, C, H, W], to stdout.
"""
import base64
import io
import json
import sys

import numpy as np
from PIL import Image


def prepare(data, about):
    size, channels = about['height'], about['channels']
    image = Image.open(io.BytesIO(data))
    width, height = image.size
    orientation = image.getexif().get(0x112, 1)
    # JPEG at 1/8, 1/4 or 1/2.
    if image.format == 'JPEG':
        image.draft('RGB', (4 * size, 4 * size))
    image.load()
    # 8 bits, grey or RGB; white under transparency.
    if image.mode.startswith('I'):
        samples = np.round(np.asarray(image).astype(float) / 257)[..., None]
    elif image.mode in ('LA', 'RGBA', 'PA') or 'transparency' in image.info:
        rgba = np.asarray(image.convert('RGBA')).astype(float)
        samples = np.floor((rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:])) / 255 + 0.5)
    elif image.mode in ('1', 'L'):
        samples = np.asarray(image.convert('L')).astype(float)[..., None]
    else:
        samples = np.asarray(image.convert('RGB')).astype(float)
    # The largest square in the middle, resized with a triangle filter.
    by = max(1, round(width / samples.shape[1]))
    w, h, side = width / by, height / by, min(width, height) / by
    box = ((w - side) / 2, (h - side) / 2, (w + side) / 2, (h + side) / 2)
    planes = [
        np.asarray(Image.fromarray(plane.astype(np.float32), 'F').resize((size, size), Image.BILINEAR, box=box))
        for plane in np.moveaxis(samples, -1, 0)
    ]
    planes = [np.floor(plane + 0.5).clip(0, 255) for plane in planes]
    # Grey or three channels.
    if channels == 1 and len(planes) == 3:
        planes = [np.floor(0.299 * planes[0] + 0.587 * planes[1] + 0.114 * planes[2] + 0.5)]
    if channels == 3 and len(planes) == 1:
        planes = planes * 3
    # Turned as EXIF says.
    turns = {
        2: Image.FLIP_LEFT_RIGHT,
        3: Image.ROTATE_180,
        4: Image.FLIP_TOP_BOTTOM,
        5: Image.TRANSPOSE,
        6: Image.ROTATE_270,
        7: Image.TRANSVERSE,
        8: Image.ROTATE_90,
    }
    if orientation in turns:
        planes = [np.asarray(Image.fromarray(plane.astype(np.uint8)).transpose(turns[orientation])) for plane in planes]
    out = np.stack(planes).astype(np.float32)
    # The range that the model takes.
    if about['pixels'] == 'byte':
        return out
    out /= 255
    if about['pixels'] == 'normalized':
        out = (out - np.array(about['mean'])[:, None, None]) / np.array(about['std'])[:, None, None]
    return out


task = json.load(sys.stdin)
images = [prepare(base64.b64decode(file), task['preprocessing']) for file in task['files']]
sys.stdout.buffer.write(np.stack(images).astype(np.float32).tobytes())
