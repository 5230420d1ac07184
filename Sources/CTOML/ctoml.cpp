#include "ctoml.h"

// The library asserts that a table's name begins as one ("[=bus]" does not), which ends the program, or in an optimised
// build lets the compiler count on it. Without assertions it goes on to the test behind them and reports the mistake.
#undef NDEBUG
#define TOML_ASSERT(condition) static_cast<void>(0)
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

#include <cstdio>
#include <iterator>

struct ctoml_document {
  toml::table table;
};

namespace {

const toml::node &of(const ctoml_node *node) { return *reinterpret_cast<const toml::node *>(node); }

const ctoml_node *as(const toml::node &node) { return reinterpret_cast<const ctoml_node *>(&node); }

void tell(ctoml_problem *problem, std::string_view message, uint32_t line) {
  std::snprintf(problem->message, sizeof problem->message, "%.*s", static_cast<int>(message.size()), message.data());
  problem->line = line;
}

}  // namespace

extern "C" {

ctoml_document *ctoml_parse(const char *text, size_t length, ctoml_problem *problem) {
  try {
    return new ctoml_document{toml::parse(std::string_view{text, length})};
  } catch (const toml::parse_error &error) {
    tell(problem, error.description(), error.source().begin.line);
  } catch (const std::exception &error) {
    tell(problem, error.what(), 0);
  }
  return nullptr;
}

void ctoml_free(ctoml_document *document) { delete document; }

const ctoml_node *ctoml_top(const ctoml_document *document) { return as(document->table); }

ctoml_kind ctoml_kind_of(const ctoml_node *node) {
  switch (of(node).type()) {
    case toml::node_type::string: return ctoml_string;
    case toml::node_type::integer: return ctoml_integer;
    case toml::node_type::floating_point: return ctoml_floating;
    case toml::node_type::boolean: return ctoml_boolean;
    case toml::node_type::date: return ctoml_date;
    case toml::node_type::time: return ctoml_time;
    case toml::node_type::date_time: return ctoml_date_time;
    case toml::node_type::array: return ctoml_array;
    default: return ctoml_table;
  }
}

size_t ctoml_count(const ctoml_node *node) {
  if (const auto *array = of(node).as_array()) return array->size();
  if (const auto *table = of(node).as_table()) return table->size();
  return 0;
}

const ctoml_node *ctoml_element(const ctoml_node *array, size_t index) { return as(*of(array).as_array()->get(index)); }

const ctoml_node *ctoml_member(const ctoml_node *table, size_t index, const char **key, uint32_t *line) {
  const auto member = std::next(of(table).as_table()->cbegin(), static_cast<std::ptrdiff_t>(index));
  *key = member->first.data();
  *line = member->first.source().begin.line;
  return as(member->second);
}

uint32_t ctoml_line_of(const ctoml_node *node) { return of(node).source().begin.line; }

const char *ctoml_string_value(const ctoml_node *node, size_t *length) {
  const auto &text = of(node).as_string()->get();
  *length = text.size();
  return text.data();
}

int64_t ctoml_integer_value(const ctoml_node *node) { return of(node).as_integer()->get(); }

double ctoml_floating_value(const ctoml_node *node) { return of(node).as_floating_point()->get(); }

bool ctoml_boolean_value(const ctoml_node *node) { return of(node).as_boolean()->get(); }

}  // extern "C"
