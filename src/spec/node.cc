#include "sortie/spec/node.h"

#include "sortie/base/check.h"
#include "sortie/base/error.h"
#include "sortie/base/text.h"
#include "sortie/spec/model.h"

#include <algorithm>
#include <cstddef>
#include <exception>
#include <functional>
#include <map>
#include <optional>
#include <ranges>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <yaml-cpp/anchor.h>
#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

namespace sortie::spec {
namespace {

constexpr std::size_t kProblemsShownMax = 10;
constexpr std::size_t kProblemsKeptMax = 1'000;
constexpr std::size_t kTextShownMax = 60;

Mark mark_of(const YAML::Mark& mark) {
  return {.line = std::max(mark.line, 0), .column = std::max(mark.column, 0)};
}

/// Builds the tree from the parser's events. What makes the rest unreadable is thrown as the
/// parser's own exception; parse_yaml turns that into a problem.
class TreeBuilder final : public YAML::EventHandler {
 public:
  explicit TreeBuilder(Problems& problems) : problems_(&problems) {}

  Node take() { return std::move(root_); }

  /// Where the innermost list or mapping begins that is not complete.
  [[nodiscard]] std::optional<Mark> open_mark(Node::Kind kind) const {
    for (const Frame& frame : frames_ | std::views::reverse) {
      if (frame.node.kind == kind) {
        return frame.node.mark;
      }
    }
    return std::nullopt;
  }

  void OnDocumentStart(const YAML::Mark& mark) override { root_.mark = mark_of(mark); }

  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Node node;
    node.mark = mark_of(mark);
    put(mark, anchor, std::move(node));
  }

  void OnScalar(const YAML::Mark& mark,
                const std::string& tag,
                YAML::anchor_t anchor,
                const std::string& value) override {
    refuse_tag(mark, tag);
    Node node;
    node.kind = Node::Kind::scalar;
    node.mark = mark_of(mark);
    node.text = value;
    node.quoted = tag == "!";
    put(mark, anchor, std::move(node));
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) {
      throw YAML::ParserException(mark, "an alias cannot stand inside what it names");
    }
    count(mark, found->second.nodes);
    check_depth(mark, frames_.size() + found->second.height);
    attach(mark_of(mark), found->second.node, found->second.height);
  }

  void OnSequenceStart(const YAML::Mark& mark,
                       const std::string& tag,
                       YAML::anchor_t anchor,
                       YAML::EmitterStyle::value /*style*/) override {
    refuse_tag(mark, tag);
    open(mark, anchor, Node::Kind::list);
  }

  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark,
                  const std::string& tag,
                  YAML::anchor_t anchor,
                  YAML::EmitterStyle::value /*style*/) override {
    refuse_tag(mark, tag);
    open(mark, anchor, Node::Kind::mapping);
  }

  void OnMapEnd() override {
    merge(frames_.back());
    close();
  }

 private:
  /// A list or mapping that is not complete yet.
  struct Frame {
    Node node;
    YAML::anchor_t anchor = YAML::NullAnchor;
    std::size_t height = 1;        // levels, this one included
    std::size_t nodes_before = 0;  // in the document
    std::map<std::string, Mark, std::less<>> keys;
    std::optional<NodeEntry> entry;  // mapping: has its key and waits for its value
  };

  struct Anchored {
    Node node;
    std::size_t height = 0;
    std::size_t nodes = 0;
  };

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") {
      throw YAML::ParserException(mark, fmt::format("tags are not allowed, found {}", tag));
    }
  }

  static void check_depth(const YAML::Mark& mark, std::size_t depth) {
    if (depth > kYamlDepthMax) {
      throw YAML::ParserException(mark, fmt::format("nested deeper than {} levels", kYamlDepthMax));
    }
  }

  void count(const YAML::Mark& mark, std::size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > kYamlNodesMax) {
      throw YAML::ParserException(
          mark,
          fmt::format("more than {} values, with aliases counted as what they stand for",
                      kYamlNodesMax));
    }
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, Node::Kind kind) {
    check_depth(mark, frames_.size() + 1);
    Frame frame;
    frame.nodes_before = nodes_;
    count(mark, 1);
    frame.node.kind = kind;
    frame.node.mark = mark_of(mark);
    frame.anchor = anchor;
    frames_.push_back(std::move(frame));
  }

  void close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    if (frame.anchor != YAML::NullAnchor) {
      anchors_.insert_or_assign(
          frame.anchor,
          Anchored{
              .node = frame.node, .height = frame.height, .nodes = nodes_ - frame.nodes_before});
    }
    const Mark mark = frame.node.mark;
    attach(mark, std::move(frame.node), frame.height);
  }

  void put(const YAML::Mark& mark, YAML::anchor_t anchor, Node node) {
    count(mark, 1);
    if (anchor != YAML::NullAnchor) {
      anchors_.insert_or_assign(anchor, Anchored{.node = node, .height = 0, .nodes = 1});
    }
    attach(mark_of(mark), std::move(node), 0);
  }

  /// Puts a complete node where it belongs. `mark` is where it was written: for an alias that is
  /// not the node's own.
  void attach(Mark mark, Node node, std::size_t height) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    frame.height = std::max(frame.height, height + 1);
    if (frame.node.kind == Node::Kind::list) {
      frame.node.items.push_back(std::move(node));
    } else if (!frame.entry.has_value()) {
      if (node.kind != Node::Kind::scalar) {
        problems_->add(mark, fmt::format("a key must be a text, found {}", kind_name(node)));
      }
      frame.entry = NodeEntry{.key = std::move(node.text), .mark = mark, .value = {}};
    } else {
      finish_entry(frame, std::move(node));
    }
  }

  void finish_entry(Frame& frame, Node value) {
    CHECK(frame.entry.has_value());
    NodeEntry entry = std::move(*frame.entry);
    frame.entry.reset();
    // An absent value has the position of whatever comes next; the key's position helps more.
    if (value.kind == Node::Kind::nothing) {
      value.mark = entry.mark;
    }
    entry.value = std::move(value);
    const auto [known, is_new] = frame.keys.emplace(entry.key, entry.mark);
    if (!is_new) {
      problems_->add(entry.mark,
                     fmt::format("duplicate key '{}', first in line {}",
                                 base::shortened(entry.key, kTextShownMax),
                                 known->second.line + 1));
      return;
    }
    frame.node.entries.push_back(std::move(entry));
  }

  /// Replaces a "<<" entry by the entries it brings; what the mapping says itself wins.
  void merge(Frame& frame) {
    std::vector<NodeEntry>& entries = frame.node.entries;
    const auto found = std::ranges::find(entries, "<<", &NodeEntry::key);
    if (found == entries.end()) {
      return;
    }
    const NodeEntry merged = std::move(*found);
    entries.erase(found);
    const auto bring = [&](const Node& source) {
      if (source.kind != Node::Kind::mapping) {
        problems_->add(merged.mark, fmt::format("<< merges mappings, found {}", kind_name(source)));
        return;
      }
      for (const NodeEntry& entry : source.entries) {
        if (frame.keys.emplace(entry.key, entry.mark).second) {
          entries.push_back(entry);
        }
      }
    };
    if (merged.value.kind == Node::Kind::list) {
      std::ranges::for_each(merged.value.items, bring);
    } else {
      bring(merged.value);
    }
  }

  Problems* problems_;
  Node root_;
  std::vector<Frame> frames_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  std::size_t nodes_ = 0;
};

std::string_view without_byte_order_mark(std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  return text.starts_with(kByteOrderMark) ? text.substr(kByteOrderMark.size()) : text;
}

/// The place of the first byte that is not UTF-8 or a control character that YAML forbids.
std::optional<Mark> bad_byte(std::string_view text) {
  Mark mark;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = base::utf8_sequence_length(text.substr(i));
    const bool control =
        text[i] >= 0 && text[i] < ' ' && text[i] != '\n' && text[i] != '\r' && text[i] != '\t';
    if (length == 0 || control) {
      return mark;
    }
    mark.column += static_cast<int>(length);
    if (text[i] == '\n') {
      mark = {.line = mark.line + 1, .column = 0};
    }
    i += length;
  }
  return std::nullopt;
}

/// The usual cause of syntax errors whose message does not tell it.
bool is_indented_by_tab(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line) {
    text.remove_prefix(std::min(text.size(), text.find('\n') + 1));
  }
  return text.substr(0, text.find_first_not_of(" \t")).contains('\t');
}

/// The parser's message where it helps; it loses the place of a bracket that is never closed.
void report_syntax(const YAML::Exception& exception,
                   const TreeBuilder& builder,
                   std::string_view text,
                   Problems& problems) {
  const bool in_list = exception.msg == YAML::ErrorMsg::END_OF_SEQ_FLOW;
  const bool in_mapping = exception.msg == YAML::ErrorMsg::END_OF_MAP_FLOW;
  const auto opened = builder.open_mark(in_list ? Node::Kind::list : Node::Kind::mapping);
  if ((in_list || in_mapping) && opened) {
    problems.add(*opened,
                 fmt::format("not valid YAML: the {} that stands here is never closed",
                             in_list ? '[' : '{'));
    return;
  }
  const Mark mark = mark_of(exception.mark);
  problems.add(mark,
               fmt::format("not valid YAML: {}{}",
                           exception.msg,
                           is_indented_by_tab(text, mark.line) ? "; tabs cannot indent" : ""));
}

}  // namespace

Problems::Problems(std::string file, std::string_view text)
    : file_(std::move(file)), text_(without_byte_order_mark(text)) {}

void Problems::add(Mark where, std::string message) {
  if (problems_.size() < kProblemsKeptMax) {
    problems_.push_back({.where = where, .message = std::move(message)});
  }
}

base::Error Problems::error() const {
  CHECK(any());
  std::vector<Problem> sorted = problems_;
  std::ranges::stable_sort(sorted, {}, &Problem::where);
  std::string lines;
  for (const Problem& problem : sorted | std::views::take(kProblemsShownMax)) {
    const Position place = position(problem.where);
    lines += fmt::format("{}{}:{}:{}: {}",
                         lines.empty() ? "" : "\n",
                         place.file,
                         place.line,
                         place.column,
                         problem.message);
  }
  if (sorted.size() > kProblemsShownMax) {
    lines += fmt::format("\n{}: and {} more", file_, sorted.size() - kProblemsShownMax);
  }
  return {.remedy = base::Remedy::bad_input,
          .code = base::ErrorCode::invalid,
          .message = std::move(lines)};
}

Position Problems::position(Mark where) const {
  std::size_t start = 0;
  for (int line = 0; line < where.line && start != std::string_view::npos; ++line) {
    const std::size_t end = text_.find('\n', start);
    start = end == std::string_view::npos ? end : end + 1;
  }
  int column = 1;
  if (start != std::string_view::npos) {
    const std::string_view before = text_.substr(start, static_cast<std::size_t>(where.column));
    // Continuation bytes do not start a character.
    column += static_cast<int>(std::ranges::count_if(
        before, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
  }
  return {.file = file_, .line = where.line + 1, .column = column};
}

std::optional<Node> parse_yaml(std::string_view text, Problems& problems) {
  if (text.size() > kYamlBytesMax) {
    problems.add({}, fmt::format("larger than {} bytes", base::with_thousands(kYamlBytesMax)));
    return std::nullopt;
  }
  if (const std::optional<Mark> bad = bad_byte(text)) {
    problems.add(*bad, "not a text in UTF-8");
    return std::nullopt;
  }
  TreeBuilder builder(problems);
  try {
    std::istringstream stream{std::string(without_byte_order_mark(text))};
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) {
      return Node{};
    }
    Node root = builder.take();
    TreeBuilder second(problems);
    if (parser.HandleNextDocument(second)) {
      problems.add(second.take().mark, "a second document begins here, expected one per file");
      return std::nullopt;
    }
    return root;
  } catch (const YAML::Exception& exception) {
    report_syntax(exception, builder, text, problems);
  } catch (const std::exception& exception) {
    problems.add({}, fmt::format("not valid YAML: {}", exception.what()));
  }
  return std::nullopt;
}

std::string_view kind_name(const Node& node) {
  switch (node.kind) {
    case Node::Kind::nothing:
      return "nothing";
    case Node::Kind::scalar:
      return "a text";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::mapping:
      return "a mapping";
  }
  return "";
}

}  // namespace sortie::spec
