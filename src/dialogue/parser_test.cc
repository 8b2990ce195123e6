#include "sortie/dialogue/parser.h"

#include "sortie/base/text.h"
#include "sortie/dialogue/control_tokens.h"
#include "sortie/dialogue/markup.h"
#include "sortie/dialogue/parser_cases.h"

#include <cctype>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace sortie::dialogue {
namespace {

chat::Answer says(std::string text) {
  chat::Answer answer;
  answer.text = std::move(text);
  return answer;
}

chat::Answer cut(std::string text) {
  chat::Answer answer = says(std::move(text));
  answer.finish = chat::FinishReason::length;
  return answer;
}

/// "use_tool parser {"a":1} | finish done # unclosed_tag"
std::string summary(const ParsedAnswer& parsed) {
  std::string out;
  for (const ParsedCommand& command : parsed.commands) {
    out += out.empty() ? "" : " | ";
    if (!command.readable) {
      out += "unreadable";
      continue;
    }
    out += std::string(to_string(command.kind)) + " " + command.name;
    if (command.kind == CommandKind::use_tool) {
      out += " " + json::to_text(command.arguments);
    }
  }
  bool first = true;
  for (const std::string& repair : parsed.repairs.names()) {
    out += (first ? " # " : " ") + repair;
    first = false;
  }
  return out;
}

std::string parsed(std::string text) {
  return summary(parse_answer(says(std::move(text)), {}));
}

std::string parsed_cut(std::string text) {
  return summary(parse_answer(cut(std::move(text)), {}));
}

constexpr auto kCall = R"(use_tool csv_parser {"a":1})";

TEST(Parser, well_formed_commands_need_no_repair) {
  EXPECT_EQ(parsed("<find_tool>read a file</find_tool>"), "find_tool read a file");
  EXPECT_EQ(parsed("Let me see.\n<show_tool>csv_parser</show_tool>\nThen I go on."),
            "show_tool csv_parser");
  EXPECT_EQ(parsed(R"(<use_tool>{"name": "csv_parser", "arguments": {"a": 1}}</use_tool>)"), kCall);
  EXPECT_EQ(parsed("<finish>all done</finish>"), "finish all done");
  EXPECT_EQ(parsed("<find_tool>a</find_tool><show_tool>b</show_tool>\n"
                   R"(<use_tool>{"name":"c","arguments":{}}</use_tool><finish></finish>)"),
            "find_tool a | show_tool b | use_tool c {} | finish ");
}

TEST(Parser, text_without_commands_gives_none) {
  EXPECT_EQ(parsed(""), "");
  EXPECT_EQ(parsed("I am not sure what to do; 3 < 4 and [1, 2] is a list."), "");
  EXPECT_EQ(parsed("```python\nprint('x')\n```"), "");
  EXPECT_EQ(parsed(R"({"answer": 42})"), "");
}

TEST(Parser, talk_about_commands_runs_nothing) {
  EXPECT_EQ(parsed("First I will write `<find_tool>` and then `<finish>`."), "");
  EXPECT_EQ(parsed("I could use the <use_tool> command, then <finish> the task."), "");
  EXPECT_EQ(parsed("Maybe <show_tool> would help me here"), "");
}

TEST(Parser, missing_close_tag_is_repaired) {
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser","arguments":{"a":1}})"),
            std::string(kCall) + " # unclosed_tag");
  EXPECT_EQ(parsed("<find_tool>csv files\nI hope it finds one."),
            "find_tool csv files # unclosed_tag");
  EXPECT_EQ(parsed("<show_tool>csv_parser"), "show_tool csv_parser # unclosed_tag");
  EXPECT_EQ(parsed("Done.\n<finish>the file is written"),
            "finish the file is written # unclosed_tag");
  EXPECT_EQ(parsed("<finish>"), "finish  # unclosed_tag");
  EXPECT_EQ(
      parsed(
          R"(<use_tool>{"name":"a","arguments":{}} <use_tool>{"name":"b","arguments":{}}</use_tool>)"),
      "use_tool a {} | use_tool b {} # unclosed_tag");
}

TEST(Parser, tags_spelled_otherwise_are_repaired) {
  EXPECT_EQ(parsed("<FIND_TOOL>x</FIND_TOOL>"), "find_tool x # tag_spelling");
  EXPECT_EQ(parsed("<find-tool >x</find_tool>"), "find_tool x # tag_spelling");
  EXPECT_EQ(parsed("<find_tool>x</show_tool>"), "find_tool x # mismatched_tag");
  EXPECT_EQ(parsed("<finish/>"), "finish  # self_closing_tag");
  EXPECT_EQ(parsed(R"(<show_tool name="csv_parser"/>)"), "show_tool csv_parser # self_closing_tag");
  EXPECT_EQ(parsed(R"(<use_tool name="csv_parser">{"a":1}</use_tool>)"),
            std::string(kCall) + " # name_attribute");
}

TEST(Parser, code_fences_are_repaired) {
  EXPECT_EQ(
      parsed("```xml\n<use_tool>{\"name\":\"csv_parser\",\"arguments\":{\"a\":1}}</use_tool>\n```"),
      std::string(kCall) + " # code_fence");
  EXPECT_EQ(parsed("<use_tool>\n```json\n{\"name\":\"csv_parser\",\"arguments\":{\"a\":1}}\n```\n</"
                   "use_tool>"),
            std::string(kCall) + " # code_fence");
  EXPECT_EQ(parsed("```\ncode\n```\n<find_tool>x</find_tool>"), "find_tool x");
}

TEST(Parser, calls_in_other_shapes_are_repaired) {
  const std::string call = kCall;
  EXPECT_EQ(parsed("<use_tool>csv_parser</use_tool>"), "use_tool csv_parser {} # name_only");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser"}</use_tool>)"),
            "use_tool csv_parser {} # name_only");
  EXPECT_EQ(parsed(R"(<use_tool>csv_parser({"a":1})</use_tool>)"), call + " # call_syntax");
  EXPECT_EQ(parsed("<use_tool>csv_parser(a=1)</use_tool>"), call + " # call_syntax");
  EXPECT_EQ(parsed("<use_tool>csv_parser()</use_tool>"), "use_tool csv_parser {} # call_syntax");
  EXPECT_EQ(parsed("<use_tool>csv_parser\n{\"a\":1}</use_tool>"), call + " # name_before_json");
  EXPECT_EQ(parsed(R"(<use_tool>{"csv_parser":{"a":1}}</use_tool>)"), call + " # name_as_key");
  EXPECT_EQ(parsed(R"(<use_tool>{"tool":"csv_parser","parameters":{"a":1}}</use_tool>)"),
            call + " # member_names");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser","a":1}</use_tool>)"),
            call + " # flat_arguments");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser","arguments":"{\"a\":1}"}</use_tool>)"),
            call + " # arguments_as_text");
  EXPECT_EQ(
      parsed(
          R"(<use_tool>{"type":"function","function":{"name":"csv_parser","arguments":{"a":1}}}</use_tool>)"),
      call + " # nested_function");
  EXPECT_EQ(parsed(R"(<use_tool><name>csv_parser</name><arguments>{"a":1}</arguments></use_tool>)"),
            call + " # xml_members");
  EXPECT_EQ(parsed(R"(<find_tool>{"query":"csv"}</find_tool>)"), "find_tool csv # json_body");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"find_tool","arguments":{"query":"csv"}}</use_tool>)"),
            "find_tool csv # command_as_tool");
  EXPECT_EQ(
      parsed(R"(<use_tool>{"name":"a","arguments":{}}{"name":"b","arguments":{}}</use_tool>)"),
      "use_tool a {} | use_tool b {} # several_in_tag");
  EXPECT_EQ(
      parsed(R"(<use_tool>[{"name":"a","arguments":{}},{"name":"b","arguments":{}}]</use_tool>)"),
      "use_tool a {} | use_tool b {} # several_in_tag");
}

TEST(Parser, json_as_people_write_it_is_repaired) {
  const std::string call = kCall;
  EXPECT_EQ(parsed("<use_tool>{'name': 'csv_parser', 'arguments': {'a': 1}}</use_tool>"),
            call + " # single_quotes");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser","arguments":{"a":1,},}</use_tool>)"),
            call + " # trailing_comma");
  EXPECT_EQ(
      parsed(R"(<use_tool>{"name":"p","arguments":{"x":True,"y":None,"z":False}}</use_tool>)"),
      R"(use_tool p {"x":true,"y":null,"z":false} # python_literal)");
  EXPECT_EQ(parsed(R"(<use_tool>{name:"csv_parser",arguments:{a:1}}</use_tool>)"),
            call + " # unquoted_key");
  EXPECT_EQ(parsed("<use_tool>{\"name\":\"p\",\"arguments\":{\"x\":\"a\nb\"}}</use_tool>"),
            R"(use_tool p {"x":"a\nb"} # raw_control)");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"p","arguments":{"x":"\d+"}}</use_tool>)"),
            R"(use_tool p {"x":"\\d+"} # bad_escape)");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser","arguments":{"a":1}</use_tool>)"),
            call + " # missing_bracket");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"csv_parser","arguments":{"a":1}}}</use_tool>)"),
            call + " # extra_bracket");
  EXPECT_EQ(parsed("<use_tool>{\"name\":\"p\",\"arguments\":{\"x\":\"\xff\"}}</use_tool>"),
            "use_tool p {\"x\":\"\xEF\xBF\xBD\"} # invalid_utf8");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"p","arguments":{"x":"\ud83d\ude80 \u00e9"}}</use_tool>)"),
            R"(use_tool p {"x":"🚀 é"})");
}

TEST(Parser, numbers_keep_their_type) {
  EXPECT_EQ(
      parsed(R"(<use_tool>{"name":"p","arguments":{"a":-3,"b":2.5,"c":1e3,"d":0}}</use_tool>)"),
      R"(use_tool p {"a":-3,"b":2.5,"c":1000,"d":0})");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"p","arguments":{"a":012}}</use_tool>)"), "unreadable");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"p","arguments":{"a":1e999}}</use_tool>)"), "unreadable");
}

TEST(Parser, what_has_two_readings_is_not_guessed) {
  EXPECT_EQ(parsed("<use_tool>{'name': 'p', 'arguments': {'x': 'it's'}}</use_tool>"), "unreadable");
  EXPECT_EQ(parsed("<use_tool>{\"name\": \"p\", \"arguments\": [1]}</use_tool>"), "unreadable");
  EXPECT_EQ(parsed("<use_tool>{\"arguments\": {\"a\": 1}}</use_tool>"), "unreadable");
  EXPECT_EQ(parsed("<use_tool>please parse the file</use_tool>"), "unreadable");
  EXPECT_EQ(parsed("<use_tool>csv_parser(source=raw#1)</use_tool>"), "unreadable");
}

TEST(Parser, names_are_taken_as_written) {
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"Parser","arguments":{}}</use_tool>)"),
            "use_tool Parser {}");
  EXPECT_EQ(parsed(R"(<use_tool>{"name":" data_processing_pars ","arguments":{}}</use_tool>)"),
            "use_tool data_processing_pars {}");
}

TEST(Parser, native_forms_of_model_families_are_understood) {
  const std::string call = kCall;
  EXPECT_EQ(parsed("<tool_call>\n{\"name\":\"csv_parser\",\"arguments\":{\"a\":1}}\n</tool_call>"),
            call + " # native_tool_call");
  EXPECT_EQ(
      parsed("<tool_call>csv_parser\n<arg_key>a</arg_key>\n<arg_value>1</arg_value>\n</tool_call>"),
      call + " # name_before_json native_tool_call");
  EXPECT_EQ(parsed("<tool_call>\n<function=csv_parser>\n<parameter=a>\n1\n</parameter>\n</"
                   "function>\n</tool_call>"),
            call + " # mismatched_tag native_function_tag");
  EXPECT_EQ(
      parsed(
          R"([TOOL_CALLS][{"name":"csv_parser","arguments":{"a":1}},{"name":"b","arguments":{}}])"),
      call + " | use_tool b {} # native_bracket_calls");
  EXPECT_EQ(parsed(R"([TOOL_CALLS]csv_parser[ARGS]{"a":1})"),
            call + " # name_before_json native_bracket_calls");
  EXPECT_EQ(parsed(R"(<|python_tag|>{"name":"csv_parser","parameters":{"a":1}}<|eom_id|>)"),
            call + " # member_names native_python_tag");
  EXPECT_EQ(parsed("<|python_tag|>csv_parser.call(a=1)"),
            call + " # call_syntax native_python_tag");
  EXPECT_EQ(parsed(R"(<function=csv_parser>{"a":1}</function>)"), call + " # native_function_tag");
  EXPECT_EQ(
      parsed(
          R"(<function_calls><invoke name="csv_parser"><parameter name="a">1</parameter></invoke></function_calls>)"),
      call + " # native_invoke");
  EXPECT_EQ(parsed("<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>csv_parser\n``"
                   "`json\n{\"a\":1}\n```<｜tool▁call▁end｜>"),
            call + " # code_fence native_deepseek");
  EXPECT_EQ(parsed("<｜tool▁call▁begin｜>csv_parser<｜tool▁sep｜>{\"a\":1}<｜tool▁call▁end｜>"),
            call + " # native_deepseek");
  EXPECT_EQ(
      parsed(
          R"(<|tool_call_begin|>functions.csv_parser:0<|tool_call_argument_begin|>{"a":1}<|tool_call_end|>)"),
      call + " # native_kimi");
  EXPECT_EQ(
      parsed(
          R"(<|channel|>commentary to=functions.csv_parser <|constrain|>json<|message|>{"a":1}<|call|>)"),
      call + " # native_harmony");
  EXPECT_EQ(parsed("[TOOL_CALLS][csv_parser(a=1), b()]"),
            call + " | use_tool b {} # call_syntax native_bracket_calls");
  EXPECT_EQ(parsed("<tool_call><use_tool>{\"name\":\"csv_parser\",\"arguments\":{\"a\":1}}</"
                   "use_tool></tool_call>"),
            call + " # mismatched_tag");
}

TEST(Parser, a_bare_call_is_understood_if_it_is_all_there_is) {
  const std::string call = kCall;
  EXPECT_EQ(parsed(R"({"name":"csv_parser","arguments":{"a":1}})"), call + " # bare_call");
  EXPECT_EQ(parsed(R"({"name":"csv_parser","parameters":{"a":1}})"),
            call + " # member_names bare_call");
  EXPECT_EQ(
      parsed("Here:\n```json\n{\"name\":\"csv_parser\",\"arguments\":{\"a\":1}}\n```\nThanks."),
      call + " # code_fence bare_call");
  EXPECT_EQ(parsed("csv_parser(a=1)"), call + " # call_syntax bare_call");
  EXPECT_EQ(parsed(R"(I call {"name":"csv_parser","arguments":{"a":1}} now)"), "");
  EXPECT_EQ(parsed("csv_parser"), "");
  EXPECT_EQ(parsed(R"({"name":"Ada","age":3})"), "");
}

TEST(Parser, structured_calls_nobody_asked_for_run) {
  chat::Answer answer = says("I go on.");
  answer.tool_calls = {{.id = "x", .name = "csv_parser", .arguments = R"({"a":1})"},
                       {.id = "y", .name = "finish", .arguments = R"({"result":"ok"})"}};
  const ParsedAnswer text = parse_answer(answer, {});
  EXPECT_EQ(summary(text), std::string(kCall) + " | finish ok # structured_calls");
  EXPECT_EQ(text.commands[1].tool_call, 1U);
  const ParsedAnswer native = parse_answer(answer, {.functions_offered = true});
  EXPECT_EQ(summary(native), std::string(kCall) + " | finish ok");
}

TEST(Parser, broken_structured_arguments_are_unreadable) {
  chat::Answer answer;
  answer.tool_calls = {{.id = "x", .name = "csv_parser", .arguments = R"({"a":)"},
                       {.id = "y", .name = "csv_parser", .arguments = ""}};
  EXPECT_EQ(summary(parse_answer(answer, {.functions_offered = true})),
            "unreadable | use_tool csv_parser {}");
}

TEST(Parser, commands_in_thought_do_not_run) {
  EXPECT_EQ(parsed("<think>I might <finish>x</finish></think><find_tool>csv</find_tool>"),
            "find_tool csv");
  EXPECT_EQ(parsed("<finish>x</finish> no, wait</think>\n<find_tool>csv</find_tool>"),
            "find_tool csv");
  EXPECT_EQ(parsed("<think><finish>x</finish>"), "");
  EXPECT_EQ(parse_answer(says("<think>hidden</think>\n shown \n"), {}).visible, "shown");
  EXPECT_EQ(parse_answer(says("a<thinking>b</thinking>c"), {}).visible, "ac");
}

TEST(Parser, the_last_command_in_thought_runs_where_the_model_is_known_for_it) {
  const ParserOptions allowed{.commands_from_reasoning = true};
  const chat::Answer both =
      says("<think><find_tool>a</find_tool><find_tool>b</find_tool></think>Hm.");
  EXPECT_EQ(summary(parse_answer(both, allowed)), "find_tool b # from_reasoning");
  EXPECT_EQ(summary(parse_answer(both, {})), "");
  chat::Answer field;
  field.reasoning =
      "<use_tool>{\"name\":\"csv_parser\",\"arguments\":{\"a\":1}}</use_tool> should do";
  EXPECT_EQ(summary(parse_answer(field, allowed)), std::string(kCall) + " # from_reasoning");
  field.text = "<find_tool>visible</find_tool>";
  EXPECT_EQ(summary(parse_answer(field, allowed)), "find_tool visible");
}

TEST(Parser, a_cut_answer_runs_only_what_is_complete) {
  EXPECT_EQ(parsed_cut(R"(<use_tool>{"name":"csv_parser","arguments":{"a":1}})"),
            std::string(kCall) + " # unclosed_tag");
  EXPECT_EQ(parsed_cut(R"(<use_tool>{"name":"csv_parser","arguments":{"a":1})"), "unreadable");
  EXPECT_EQ(parsed_cut(R"(<use_tool>{"name":"csv_parser","argu)"), "unreadable");
  EXPECT_EQ(parsed_cut("<use_tool>csv_pars"), "unreadable");
  EXPECT_EQ(parsed_cut("<find_tool>read a fi"), "unreadable # unclosed_tag");
  EXPECT_EQ(parsed_cut("<finish>all do"), "unreadable # unclosed_tag");
  EXPECT_EQ(parsed_cut("<function=csv_pa"), "unreadable");
  EXPECT_EQ(parsed_cut("<find_tool>x</find_tool> and then <us"), "find_tool x");
}

TEST(Parser, a_broken_call_keeps_its_place) {
  EXPECT_EQ(parsed("<find_tool>a</find_tool><use_tool>{oops</use_tool><finish>x</finish>"),
            "find_tool a | unreadable | finish x");
}

TEST(Parser, tags_inside_arguments_are_text) {
  EXPECT_EQ(parsed(R"(<use_tool>{"name":"p","arguments":{"x":"<finish>no</finish>"}}</use_tool>)"),
            R"(use_tool p {"x":"<finish>no</finish>"})");
}

TEST(Parser, at_most_eight_commands_are_taken) {
  std::string text;
  for (int i = 0; i < 12; ++i) {
    text += "<find_tool>q" + std::to_string(i) + "</find_tool>";
  }
  const ParsedAnswer answer = parse_answer(says(text), {});
  ASSERT_EQ(answer.commands.size(), kCommandsMax);
  EXPECT_EQ(answer.commands.back().name, "q7");
  EXPECT_TRUE(answer.repairs.has(Repair::over_limit));
}

/// Letters and digits alone, in lower case: what a careless reader sees.
std::string bare_letters(std::string_view text) {
  std::string out = base::to_lower(text);
  std::erase_if(out, [](char c) {
    return static_cast<unsigned char>(c) < 0x80 && std::isalnum(static_cast<unsigned char>(c)) == 0;
  });
  return out;
}

TEST(Parser, own_tags_are_disjoint_from_what_model_families_own) {
  for (const std::string_view word : kCommandTags) {
    for (const std::string_view token : kControlTokens) {
      EXPECT_NE(bare_letters(token), bare_letters(word)) << token;
      const std::string lower = base::to_lower(token);
      for (const std::string& tag :
           {fmt::format("<{}>", word), fmt::format("</{}>", word), fmt::format("<{}/>", word)}) {
        EXPECT_EQ(lower.find(tag), std::string::npos) << tag << " in " << token;
        EXPECT_EQ(tag.find(lower), std::string::npos) << token << " in " << tag;
      }
    }
  }
}

TEST(Parser, the_table_of_control_tokens_names_each_once_and_holds_every_mark_of_the_cases) {
  const std::set<std::string_view> tokens(kControlTokens.begin(), kControlTokens.end());
  EXPECT_EQ(tokens.size(), kControlTokens.size());
  // Whatever looks like a control token in the table of answers is one that the table knows, is
  // spelled in ASCII by a proxy, or is what a model made of one of our own tags.
  const auto cases = load_parser_cases(SORTIE_PARSER_CASES);
  ASSERT_TRUE(cases.has_value());
  for (const ParserCase& one : *cases) {
    if (one.family.contains("proxy")) {
      continue;
    }
    const std::string& text = one.answer.text;
    for (std::size_t at = text.find("<|"); at != std::string::npos; at = text.find("<|", at + 1)) {
      const std::string token = text.substr(at, text.find("|>", at) + 2 - at);
      EXPECT_TRUE(tokens.contains(token)) << one.id << ": " << token;
    }
  }
}

TEST(Parser, repair_names_are_distinct) {
  std::set<std::string_view> names;
  for (unsigned i = 0; i < static_cast<unsigned>(Repair::count); ++i) {
    names.insert(to_string(static_cast<Repair>(i)));
  }
  EXPECT_EQ(names.size(), static_cast<std::size_t>(Repair::count));
  EXPECT_FALSE(names.contains(""));
}

/// Pieces that matter to the parser, in any order.
rc::Gen<std::string> noise() {
  const auto piece = rc::gen::element<std::string>("<use_tool>",
                                                   "</use_tool>",
                                                   "<find_tool>",
                                                   "</find_tool>",
                                                   "<finish>",
                                                   "</finish>",
                                                   "<show_tool name='x'/>",
                                                   "<think>",
                                                   "</think>",
                                                   "<tool_call>",
                                                   "</tool_call>",
                                                   "[TOOL_CALLS]",
                                                   "<|python_tag|>",
                                                   "<function=f>",
                                                   "<parameter=a>",
                                                   "</parameter>",
                                                   "<invoke name=\"x\">",
                                                   "<｜tool▁call▁begin｜>",
                                                   "<｜tool▁sep｜>",
                                                   "<|tool_call_begin|>",
                                                   "<arg_key>",
                                                   "```",
                                                   "```json\n",
                                                   "{",
                                                   "}",
                                                   "[",
                                                   "]",
                                                   "(",
                                                   ")",
                                                   ",",
                                                   ":",
                                                   "\"",
                                                   "'",
                                                   "\\",
                                                   "\\u12",
                                                   "name",
                                                   "\"name\"",
                                                   "\"arguments\"",
                                                   "a=1",
                                                   " ",
                                                   "\n",
                                                   "\xff",
                                                   "\xe6",
                                                   "True",
                                                   "1",
                                                   "-",
                                                   ".5",
                                                   "e9");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const auto& pieces) {
    std::string all;
    for (const std::string& one : pieces) {
      all += one;
    }
    return all;
  });
}

TEST(Parser, any_text_is_answered_the_same_way_twice) {
  EXPECT_TRUE(rc::check([] {
    chat::Answer answer = says(*noise());
    answer.reasoning = *noise();
    answer.finish = *rc::gen::element(chat::FinishReason::stop, chat::FinishReason::length);
    const ParserOptions options{.functions_offered = *rc::gen::arbitrary<bool>(),
                                .commands_from_reasoning = *rc::gen::arbitrary<bool>()};
    const ParsedAnswer first = parse_answer(answer, options);
    RC_ASSERT(summary(first) == summary(parse_answer(answer, options)));
    RC_ASSERT(first.commands.size() <= kCommandsMax);
  }));
}

TEST(Parser, any_arguments_survive_a_well_formed_call) {
  EXPECT_TRUE(
      rc::check([](const std::string& bytes, double number, std::int64_t integer, bool flag) {
        std::string text;
        json::append_quoted(text, bytes);
        const json::Value arguments = {{"text", json::parse(text).value()},
                                       {"real", number},
                                       {"integer", integer},
                                       {"list", {flag, nullptr, "x"}},
                                       {"object", {{"k", flag}}}};
        const json::Value call = {{"name", "p"}, {"arguments", arguments}};
        const ParsedAnswer answer =
            parse_answer(says("<use_tool>" + json::to_text(call) + "</use_tool>"), {});
        RC_ASSERT(answer.repairs.empty());
        RC_ASSERT(answer.commands.size() == 1U);
        RC_ASSERT(json::canonical(answer.commands[0].arguments) == json::canonical(arguments));
      }));
}

}  // namespace
}  // namespace sortie::dialogue
