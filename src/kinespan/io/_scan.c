/* Lines, words or fields, and decimals of a text in one pass: what `_scan_plainly` and `_scan_fields_plainly` in
   decimals.py do, about ten times as fast. */

#define Py_LIMITED_API 0x030b0000
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

/* Eight letters as one number, the first in the lowest byte whatever the order of the machine's. */
#define EACH(byte) (0x0101010101010101ULL * (byte))
#define TOP_BITS EACH(0x80)
#define MAX_EXACT (1ULL << 53) /* whole numbers up to here are doubles */
#define MAX_DIGITS 18          /* what fits into 64 bits whatever the digits are */

static const double POWERS[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18};
static const uint64_t WHOLE_POWERS[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

static inline int is_white(unsigned char letter) { return letter <= ' '; }

static inline int ends_word(unsigned char letter, unsigned char mark) { return is_white(letter) || letter == mark; }

static inline int is_digit(unsigned char letter) { return (unsigned char)(letter - '0') < 10; }

/* The next eight letters; zeros, which are white, behind the end. */
static inline uint64_t eight_letters(const unsigned char *at, const unsigned char *end) {
    uint64_t letters = 0;
    if (end - at >= 8)
        memcpy(&letters, at, 8);
    else
        memcpy(&letters, at, (size_t)(end - at));
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    uint64_t swapped = 0;
    for (int index = 0; index < 8; index++)
        swapped |= ((letters >> (8 * index)) & 0xff) << (56 - 8 * index);
    letters = swapped;
#endif
    return letters;
}

/* How many of eight bytes have their lowest bit set: the product sums them in the highest byte. */
static inline int count_bytes(uint64_t bytes) { return (int)((bytes & EACH(1)) * EACH(1) >> 56); }

/* How many of eight bytes come before the lowest with its top bit set, of a number with no other bits. */
static inline int bytes_before(uint64_t top_bits) { return top_bits ? count_bytes((top_bits - 1) & ~top_bits) - 1 : 8; }

/* A word by the rules of `float`, NaN where it is no finite number. */
static double general_number(const unsigned char *word, size_t size) {
    char small[64];
    char *copy = size < sizeof small ? small : PyMem_Malloc(size + 1);
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
    if (copy != small)
        PyMem_Free(copy);
    return value;
}

/* The word that begins here, up to white space or `mark`, as a number, and where it ends.

   A sign, digits and a point make a whole number over a power of ten; where both are doubles, their quotient is rounded
   as the decimal is (Clinger, PLDI 1990). Up to eight digits behind the point are read at once: the product of digits, a
   byte each, adds every digit to ten times the one before, a second does so by pairs, a third by fours. */
static inline double number(const unsigned char **at, const unsigned char *end, unsigned char mark) {
    const unsigned char *word = *at, *next = word;
    uint64_t whole = 0;
    int digits = 0, decimals = 0, negative = *next == '-';
    next += negative;
    for (; next < end && is_digit(*next) && digits <= MAX_DIGITS; next++, digits++)
        whole = 10 * whole + (*next - '0');
    if (next < end && *next == '.' && digits <= MAX_DIGITS - 8) {
        uint64_t fraction = eight_letters(++next, end) ^ EACH('0');
        decimals = bytes_before(((fraction + EACH(0x80 - 10)) | fraction) & TOP_BITS);
        if (decimals) {
            fraction <<= 8 * (8 - decimals);
            fraction = (fraction * (10 << 8 | 1)) >> 8 & 0x00ff00ff00ff00ffULL;
            fraction = (fraction * (100 << 16 | 1)) >> 16 & 0x0000ffff0000ffffULL;
            fraction = (fraction * (10000ULL << 32 | 1)) >> 32;
            whole = whole * WHOLE_POWERS[decimals] + fraction;
        }
        next += decimals;
        digits += decimals;
        if (decimals == 8) {
            for (; next < end && is_digit(*next) && digits <= MAX_DIGITS; next++, digits++, decimals++)
                whole = 10 * whole + (*next - '0');
        }
    }
    if (next < end && ends_word(*next, mark) && digits && digits <= MAX_DIGITS && whole <= MAX_EXACT) {
        *at = next;
        double value = (double)whole / POWERS[decimals];
        return negative ? -value : value;
    }
    while (next < end && !ends_word(*next, mark))
        next++;
    *at = next;
    return general_number(word, (size_t)(next - word));
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
    for (; next < end && is_digit(*next) && next - word <= MAX_DIGITS; next++)
        value = 10 * value + (*next - '0');
    return next > word && next - word <= MAX_DIGITS && (next == end || is_white(*next)) ? (int64_t)value : -1;
}

/* How many words begin between two positions; the letter before the first is white. */
static int64_t count_words(const unsigned char *at, const unsigned char *end) {
    int64_t words = 0;
    uint64_t before = 0; /* 1 if the letter before belongs to a word */
    while (at < end) {
        uint64_t starts_by_byte = 0; /* in each byte for the letters at that place of eight: at most 31 times 1 */
        for (int times = 0; times < 31 && at < end; times++, at += 8) {
            uint64_t letters = eight_letters(at, end);
            uint64_t is_word = (((letters & ~TOP_BITS) + EACH(0x80 - '!')) | letters) & TOP_BITS;
            starts_by_byte += (is_word & ~(is_word << 8 | before)) >> 7;
            before = is_word >> 56;
        }
        words += (int64_t)(starts_by_byte * EACH(1) >> 56);
    }
    return words;
}

static PyObject *scan(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *text_object, *buffers[4] = {NULL, NULL, NULL, NULL}, *result = NULL;
    Py_ssize_t columns, lines = 0;
    if (!PyArg_ParseTuple(args, "Sn:scan", &text_object, &columns))
        return NULL;
    const unsigned char *text = (const unsigned char *)PyBytes_AsString(text_object);
    const unsigned char *stop = text + PyBytes_Size(text_object);
    if (columns < 0 || (stop > text && stop[-1] != '\n')) {
        PyErr_SetString(PyExc_ValueError, "scan takes text that ends with a newline, and 0 or more columns");
        return NULL;
    }
    for (const unsigned char *at = text; at < stop; lines++)
        at = (const unsigned char *)memchr(at, '\n', (size_t)(stop - at)) + 1;
    if (columns > PY_SSIZE_T_MAX / 8 / (lines + 1))
        return PyErr_NoMemory();
    for (int index = 0; index < 4; index++) {
        buffers[index] = PyBytes_FromStringAndSize(NULL, 8 * lines * (index < 3 ? 1 : columns));
        if (!buffers[index])
            goto done;
    }
    int64_t *starts = (int64_t *)PyBytes_AsString(buffers[0]), *counts = (int64_t *)PyBytes_AsString(buffers[1]);
    int64_t *wholes = (int64_t *)PyBytes_AsString(buffers[2]);
    double *values = (double *)PyBytes_AsString(buffers[3]);
    const unsigned char *at = text;
    for (Py_ssize_t line = 0; line < lines; line++) {
        const unsigned char *end = (const unsigned char *)memchr(at, '\n', (size_t)(stop - at));
        Py_ssize_t words = 0;
        starts[line] = at - text;
        at = skip_white(at, end);
        wholes[line] = whole_number(at, end);
        while (at < end && words < columns) {
            values[words++] = number(&at, end + 1, ' ');
            at = skip_white(at, end);
        }
        counts[line] = words + count_words(at, end);
        for (; words < columns; words++)
            values[words] = NAN;
        values += columns;
        at = end + 1;
    }
    result = PyTuple_Pack(4, buffers[0], buffers[1], buffers[2], buffers[3]);
done:
    for (int index = 0; index < 4; index++)
        Py_XDECREF(buffers[index]);
    return result;
}

/* Whether a word stands for a missing number. */
static int is_missing(const unsigned char *word, size_t size) {
    if (size == 4 && (*word == '-' || *word == '+'))
        word++, size--;
    return size == 3 && (((word[0] | 32) == 'n' && (word[1] | 32) == 'a' && (word[2] | 32) == 'n') ||
                         ((word[0] | 32) == 'n' && word[1] == '/' && (word[2] | 32) == 'a'));
}

static inline const unsigned char *skip_blanks(const unsigned char *at, const unsigned char *end, unsigned char mark) {
    while (at < end && is_white(*at) && *at != mark)
        at++;
    return at;
}

static PyObject *scan_fields(PyObject *module, PyObject *args) {
    (void)module;
    PyObject *text_object, *buffers[3] = {NULL, NULL, NULL}, *result = NULL;
    Py_ssize_t columns, lines = 0, bad_line = -1, bad_field = -1;
    int mark_number;
    if (!PyArg_ParseTuple(args, "Sni:scan_fields", &text_object, &columns, &mark_number))
        return NULL;
    unsigned char mark = (unsigned char)mark_number;
    const unsigned char *text = (const unsigned char *)PyBytes_AsString(text_object);
    const unsigned char *stop = text + PyBytes_Size(text_object);
    if (columns < 0 || (stop > text && stop[-1] != '\n')) {
        PyErr_SetString(PyExc_ValueError, "scan_fields takes text that ends with a newline, and 0 or more columns");
        return NULL;
    }
    for (const unsigned char *at = text; at < stop; lines++)
        at = (const unsigned char *)memchr(at, '\n', (size_t)(stop - at)) + 1;
    if (columns > PY_SSIZE_T_MAX / 8 / (lines + 1))
        return PyErr_NoMemory();
    for (int index = 0; index < 3; index++) {
        buffers[index] = PyBytes_FromStringAndSize(NULL, 8 * lines * (index < 2 ? 1 : columns));
        if (!buffers[index])
            goto done;
    }
    int64_t *starts = (int64_t *)PyBytes_AsString(buffers[0]), *counts = (int64_t *)PyBytes_AsString(buffers[1]);
    double *values = (double *)PyBytes_AsString(buffers[2]);
    const unsigned char *at = text;
    for (Py_ssize_t line = 0; line < lines; line++) {
        const unsigned char *end = (const unsigned char *)memchr(at, '\n', (size_t)(stop - at));
        Py_ssize_t field = 0;
        starts[line] = at - text;
        counts[line] = 0;
        for (;; field++) {
            at = skip_blanks(at, end, mark);
            double value = NAN;
            if (at < end && *at != mark) {
                const unsigned char *word = at;
                counts[line] = field + 1;
                if (field < columns) {
                    value = number(&at, end + 1, mark);
                    int is_bad = isnan(value) && !is_missing(word, (size_t)(at - word));
                    at = skip_blanks(at, end, mark);
                    if ((is_bad || (at < end && *at != mark)) && bad_line < 0)
                        bad_line = line, bad_field = field;
                }
                while (at < end && *at != mark)
                    at++;
            }
            if (field < columns)
                values[field] = value;
            if (at >= end)
                break;
            at++;
        }
        for (field++; field < columns; field++)
            values[field] = NAN;
        values += columns;
        at = end + 1;
    }
    result = Py_BuildValue("(OOOnn)", buffers[0], buffers[1], buffers[2], bad_line, bad_field);
done:
    for (int index = 0; index < 3; index++)
        Py_XDECREF(buffers[index]);
    return result;
}

static PyMethodDef METHODS[] = {
    {"scan", scan, METH_VARARGS,
     "scan(text, columns): of every line where it starts, how many words it has, the first as a whole number (else -1)\n"
     "and `columns` of them as numbers (else NaN); int64, int64, int64 and float64 as bytes. The text ends with a newline."},
    {"scan_fields", scan_fields, METH_VARARGS,
     "scan_fields(text, columns, mark): of every line where it starts, how many of its fields, between marks, come up to\n"
     "the last that holds anything, and `columns` of them as numbers (NaN where empty, nan or n/a); int64, int64 and\n"
     "float64 as bytes; and line and field of the first word that is no number, or -1. The text ends with a newline."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_scan", NULL, 0, METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__scan(void) { return PyModuleDef_Init(&MODULE); }
