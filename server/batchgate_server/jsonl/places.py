"""Where values stand in a JSON text, found at the speed of C however the text is made.

msgspec skips over what it is not asked for, and gives the values that it is asked for as views of
the text: a view's address tells its place. Reading the tokens up to it in Python would take seconds
for a long line.
"""

import ctypes

import msgspec


class _Buffer(ctypes.Structure):
    """CPython's `Py_buffer`, the same in all versions."""

    _fields_ = (
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.py_object),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_char_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    )


_get = ctypes.pythonapi.PyObject_GetBuffer
_get.argtypes = (ctypes.py_object, ctypes.POINTER(_Buffer), ctypes.c_int)
_release = ctypes.pythonapi.PyBuffer_Release
_release.argtypes = (ctypes.POINTER(_Buffer),)
_release.restype = None


def _span(value: object) -> tuple[int, int]:
    """The address of a buffer, and its length."""
    view = _Buffer()
    _get(value, ctypes.byref(view), 0)
    try:
        return view.buf or 0, view.len
    finally:
        _release(ctypes.byref(view))


def place(text: bytes, value: msgspec.Raw) -> tuple[int, int]:
    """Where a value that was decoded from `text` begins in it, and where it ends."""
    base, size = _span(text)
    address, length = _span(value)
    start = address - base
    if not 0 <= start <= size - length:
        raise AssertionError("the value is no view of the text")
    return start, start + length


def replaced(text: bytes, value: msgspec.Raw, new: bytes) -> bytes:
    """`text` with another value in the place of this one; every other byte stays as it is."""
    start, end = place(text, value)
    return b"".join((text[:start], new, text[end:]))
