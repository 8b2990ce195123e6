# sortie_embed(<target> <symbol> <file>): links a file into the binary as bytes, readable as
#   extern "C" const char <symbol>_begin[]; extern "C" const char <symbol>_end[];
function(sortie_embed target symbol file)
  get_filename_component(path ${file} ABSOLUTE)
  set(out ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.S)
  file(CONFIGURE OUTPUT ${out} CONTENT
"    .section .rodata
    .balign 16
    .global ${symbol}_begin
    .global ${symbol}_end
${symbol}_begin:
    .incbin \"${path}\"
${symbol}_end:
    .byte 0
    .section .note.GNU-stack,\"\",@progbits
")
  set_source_files_properties(${out} PROPERTIES OBJECT_DEPENDS ${path})
  target_sources(${target} PRIVATE ${out})
endfunction()
