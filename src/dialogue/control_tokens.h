#pragma once

#include <array>
#include <string_view>

// Markers that model families own. Serving stacks take them out of an answer, or out of a prompt,
// before anybody sees them, so none of our own tags may be one of them, be part of one or contain
// one; a test keeps it so. Taken from the chat templates that the families publish with their
// weights.

namespace sortie::dialogue {

inline constexpr std::array<std::string_view, 45> kControlTokens = {
    // Hermes, Qwen, GLM
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "</tools>",
    "<arg_key>",
    "<arg_value>",
    "<|im_start|>",
    "<|im_end|>",
    "<|endoftext|>",
    // Llama
    "<|python_tag|>",
    "<function=",
    "</function>",
    "<parameter=",
    "<|begin_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eom_id|>",
    "<|eot_id|>",
    // Mistral
    "[TOOL_CALLS]",
    "[AVAILABLE_TOOLS]",
    "[TOOL_RESULTS]",
    "[ARGS]",
    "[INST]",
    "[/INST]",
    // DeepSeek
    "<｜tool▁calls▁begin｜>",
    "<｜tool▁call▁begin｜>",
    "<｜tool▁sep｜>",
    "<｜tool▁call▁end｜>",
    "<｜tool▁calls▁end｜>",
    "<｜end▁of▁sentence｜>",
    // Kimi
    "<|tool_calls_section_begin|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    // gpt-oss
    "<|channel|>",
    "<|message|>",
    "<|call|>",
    // Claude, Granite, Phi
    "<function_calls>",
    "<invoke ",
    "<|tool_call|>",
    // reasoning
    "<think>",
    "</think>",
    "<thinking>",
};

}  // namespace sortie::dialogue
