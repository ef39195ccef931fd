/* Lines, words and decimals of a text in one pass: what `_scan_plainly` in decimals.py does, some ten times as fast. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Eight letters as one number, the first in the lowest byte whatever the order of the machine's. */
#define EACH(byte) (0x0101010101010101ULL * (byte))
#define TOPS EACH(0x80)
#define MOST_EXACT (1ULL << 53) /* whole numbers up to here are doubles */
#define MOST_DIGITS 18          /* what fits into 64 bits whatever the digits are */

static const double POWERS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18};
static const uint64_t WHOLE_POWERS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

static inline int is_white(unsigned char letter) { return letter <= ' '; }

static inline int is_digit(unsigned char letter) { return (unsigned char)(letter - '0') < 10; }

/* The next eight letters; zeros, which are white, behind the end. */
static inline uint64_t eight_letters(const unsigned char *at, const unsigned char *end) {
    uint64_t letters = 0;
    if (end - at >= 8)
        memcpy(&letters, at, 8);
    else
        memcpy(&letters, at, (size_t)(end - at));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    uint64_t turned = 0;
    for (int place = 0; place < 8; place++)
        turned |= ((letters >> (8 * place)) & 0xff) << (56 - 8 * place);
    letters = turned;
#endif
    return letters;
}

/* How many of eight bytes have their lowest bit set: the product sums them in the highest byte. */
static inline int count_bytes(uint64_t bytes) { return (int)((bytes & EACH(1)) * EACH(1) >> 56); }

/* How many of eight bytes come before the lowest with its top bit set, of a number with no other bits. */
static inline int bytes_before(uint64_t tops) { return tops ? count_bytes((tops - 1) & ~tops) - 1 : 8; }

/* A word by the rules of `float`, NaN where it is no finite number. */
static double slowly(const unsigned char *word, size_t size) {
    char some[64];
    char *copy = size < sizeof some ? some : PyMem_Malloc(size + 1);
    char *stop;
    if (!copy)
        return NAN;
    memcpy(copy, word, size);
    copy[size] = 0;
    double value = PyOS_string_to_double(copy, &stop, NULL);
    if (PyErr_Occurred()) {
        PyErr_Clear();
        value = NAN;
    } else if (stop != copy + size || !isfinite(value)) {
        value = NAN;
    }
    if (copy != some)
        PyMem_Free(copy);
    return value;
}

/* The word that begins here as a number, and where it ends.

   A sign, digits and a point make a whole number over a power of ten; where both are doubles, their quotient is rounded
   as the decimal is (Clinger, PLDI 1990). Up to eight digits behind the point are read at once: the product of digits, a
   byte each, adds every digit to ten times the one before, a second does so by pairs, a third by fours. */
static double number(const unsigned char **at, const unsigned char *end) {
    const unsigned char *word = *at, *next = word;
    uint64_t whole = 0;
    int digits = 0, behind = 0, negative = *next == '-';
    next += negative;
    for (; next < end && is_digit(*next) && digits <= MOST_DIGITS; next++, digits++)
        whole = 10 * whole + (*next - '0');
    if (next < end && *next == '.' && digits <= MOST_DIGITS - 8) {
        uint64_t part = eight_letters(++next, end) ^ EACH('0');
        behind = bytes_before(((part + EACH(0x80 - 10)) | part) & TOPS);
        if (behind) {
            part <<= 8 * (8 - behind);
            part = (part * (10 << 8 | 1)) >> 8 & 0x00ff00ff00ff00ffULL;
            part = (part * (100 << 16 | 1)) >> 16 & 0x0000ffff0000ffffULL;
            part = (part * (10000ULL << 32 | 1)) >> 32;
            whole = whole * WHOLE_POWERS[behind] + part;
        }
        next += behind;
        digits += behind;
        if (behind == 8) {
            for (; next < end && is_digit(*next) && digits <= MOST_DIGITS; next++, digits++, behind++)
                whole = 10 * whole + (*next - '0');
        }
    }
    if (next < end && is_white(*next) && digits && digits <= MOST_DIGITS && whole <= MOST_EXACT) {
        *at = next;
        double value = (double)whole / POWERS[behind];
        return negative ? -value : value;
    }
    while (next < end && !is_white(*next))
        next++;
    *at = next;
    return slowly(word, (size_t)(next - word));
}

static inline const unsigned char *skip_white(const unsigned char *at, const unsigned char *end) {
    while (at < end && is_white(*at))
        at++;
    return at;
}

/* A word of digits alone, at most 18, as a whole number, -1 where it is another. */
static int64_t whole_number(const unsigned char *word, const unsigned char *end) {
    uint64_t value = 0;
    const unsigned char *next = word;
    for (; next < end && is_digit(*next) && next - word <= MOST_DIGITS; next++)
        value = 10 * value + (*next - '0');
    return next > word && next - word <= MOST_DIGITS && (next == end || is_white(*next)) ? (int64_t)value : -1;
}

/* How many words begin between these places; the letter before the first is white. */
static int64_t count_words(const unsigned char *at, const unsigned char *end) {
    int64_t words = 0;
    uint64_t before = 0; /* whether the letter before was of a word */
    while (at < end) {
        uint64_t begun = 0; /* in each byte for the letters at that place of eight: at most 31 times 1 */
        for (int times = 0; times < 31 && at < end; times++, at += 8) {
            uint64_t letters = eight_letters(at, end);
            uint64_t black = (((letters & ~TOPS) + EACH(0x80 - '!')) | letters) & TOPS;
            begun += (black & ~(black << 8 | before)) >> 7;
            before = black >> 56;
        }
        words += (int64_t)(begun * EACH(1) >> 56);
    }
    return words;
}

static PyObject *scan(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *given, *parts[4] = {NULL, NULL, NULL, NULL}, *found = NULL;
    Py_ssize_t columns, lines = 0;
    if (!PyArg_ParseTuple(args, "Sn:scan", &given, &columns))
        return NULL;
    const unsigned char *text = (const unsigned char *)PyBytes_AsString(given), *stop = text + PyBytes_Size(given);
    if (columns < 0 || (stop > text && stop[-1] != '\n')) {
        PyErr_SetString(PyExc_ValueError, "scan takes text that ends with a newline, and 0 or more columns");
        return NULL;
    }
    for (const unsigned char *at = text; at < stop; lines++)
        at = (const unsigned char *)memchr(at, '\n', (size_t)(stop - at)) + 1;
    if (columns > PY_SSIZE_T_MAX / 8 / (lines + 1))
        return PyErr_NoMemory();
    for (int part = 0; part < 4; part++) {
        parts[part] = PyBytes_FromStringAndSize(NULL, 8 * lines * (part < 3 ? 1 : columns));
        if (!parts[part])
            goto done;
    }
    int64_t *starts = (int64_t *)PyBytes_AsString(parts[0]), *counts = (int64_t *)PyBytes_AsString(parts[1]);
    int64_t *wholes = (int64_t *)PyBytes_AsString(parts[2]);
    double *values = (double *)PyBytes_AsString(parts[3]);
    const unsigned char *at = text;
    for (Py_ssize_t line = 0; line < lines; line++) {
        const unsigned char *end = (const unsigned char *)memchr(at, '\n', (size_t)(stop - at));
        Py_ssize_t words = 0;
        starts[line] = at - text;
        at = skip_white(at, end);
        wholes[line] = whole_number(at, end);
        while (at < end && words < columns) {
            values[words++] = number(&at, end + 1);
            at = skip_white(at, end);
        }
        counts[line] = words + count_words(at, end);
        for (; words < columns; words++)
            values[words] = NAN;
        values += columns;
        at = end + 1;
    }
    found = PyTuple_Pack(4, parts[0], parts[1], parts[2], parts[3]);
done:
    for (int part = 0; part < 4; part++)
        Py_XDECREF(parts[part]);
    return found;
}

static PyMethodDef METHODS[] = {
    {"scan", scan, METH_VARARGS,
     "scan(text, columns): of every line where it starts, how many words it has, the first as a whole number (else -1)\n"
     "and `columns` of them as numbers (else NaN); int64, int64, int64 and float64 as bytes. The text ends with a newline."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_scan", NULL, 0, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) { return PyModuleDef_Init(&MODULE); }
