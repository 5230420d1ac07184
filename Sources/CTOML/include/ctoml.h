// toml++ (Debian: libtomlplusplus-dev) for Swift: what a document holds and in which line. It is header-only C++, which
// Swift reads through plain C.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ctoml_document ctoml_document;
/// A value of a document, as long as the document lives.
typedef struct ctoml_node ctoml_node;

typedef enum __attribute__((enum_extensibility(closed))) {
  ctoml_string,
  ctoml_integer,
  ctoml_floating,
  ctoml_boolean,
  ctoml_date,
  ctoml_time,
  ctoml_date_time,
  ctoml_array,
  ctoml_table,
} ctoml_kind;

typedef struct {
  char message[256];
  uint32_t line;
} ctoml_problem;

/// The document of a text in UTF-8; NULL with what is wrong when it is no TOML.
ctoml_document *ctoml_parse(const char *text, size_t length, ctoml_problem *problem);
void ctoml_free(ctoml_document *document);
const ctoml_node *ctoml_top(const ctoml_document *document);

ctoml_kind ctoml_kind_of(const ctoml_node *node);

/// How many elements an array or members a table has.
size_t ctoml_count(const ctoml_node *node);
/// An element of an array.
const ctoml_node *ctoml_element(const ctoml_node *array, size_t index);
/// A member of a table, in the order of the keys, with its key and the line that the key stands in.
const ctoml_node *ctoml_member(const ctoml_node *table, size_t index, const char **key, uint32_t *line);
/// The line in which a value begins; 0 when nothing in the text is it (a table that only its members name).
uint32_t ctoml_line_of(const ctoml_node *node);

// The value of a node of that kind.
const char *ctoml_string_value(const ctoml_node *node, size_t *length);
int64_t ctoml_integer_value(const ctoml_node *node);
double ctoml_floating_value(const ctoml_node *node);
bool ctoml_boolean_value(const ctoml_node *node);

#ifdef __cplusplus
}
#endif
