"""Decodes image files with Pillow for the campaign of inputs: a line of base64 in, a line of JSON out for each.

The pixels are those of the file, as rows of 1 or 3 samples of 8 bits, white under transparency; not turned.
"""
import base64
import io
import json
import sys
import warnings
import zlib

import numpy as np
from PIL import Image

warnings.simplefilter('ignore')
Image.MAX_IMAGE_PIXELS = 2 ** 26


def decode(data):
    image = Image.open(io.BytesIO(data), formats=['PNG', 'JPEG', 'WEBP', 'GIF', 'BMP'])
    image.load()
    if image.mode.startswith('I'):
        out = np.floor(np.asarray(image).astype(float) / 257 + 0.5)[..., None]
    elif image.mode in ('LA', 'PA', 'RGBA') or 'transparency' in image.info:
        rgba = np.asarray(image.convert('RGBA')).astype(int)
        out = np.floor((rgba[..., :3] * rgba[..., 3:] + 255 * (255 - rgba[..., 3:])) / 255 + 0.5)
    else:
        out = np.asarray(image.convert('RGB'))
    return out.clip(0, 255).astype(np.uint8)


for line in sys.stdin:
    try:
        pixels = decode(base64.b64decode(line))
        height, width, channels = pixels.shape
        packed = base64.b64encode(zlib.compress(pixels.tobytes(), 1)).decode()
        answer = {'width': width, 'height': height, 'channels': channels, 'pixels': packed}
    except Exception as error:
        answer = {'error': f'{type(error).__name__}: {error}'[:200]}
    print(json.dumps(answer), flush=True)
