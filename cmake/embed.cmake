# embed(TARGET FILE…): each file becomes a C array of the target, embedded_NAME and embedded_NAME_size, where NAME is the
# file's name without its ending, with "_" for what no identifier may hold. Run as a script (cmake -P) it makes one.
if(CMAKE_SCRIPT_MODE_FILE)
  file(READ ${IN} bytes HEX)
  string(LENGTH "${bytes}" digits)
  math(EXPR size "${digits} / 2")
  string(REGEX REPLACE "(................................................................)" "\\1\n" bytes "${bytes}")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
  get_filename_component(source ${IN} NAME)
  file(WRITE ${OUT} "// The bytes of ${source}; made by cmake/embed.cmake.\n#include <stddef.h>\n\n"
    "extern const char embedded_${NAME}[];\nextern const size_t embedded_${NAME}_size;\n"
    "const char embedded_${NAME}[] = {\n${bytes}'\\0'};\nconst size_t embedded_${NAME}_size = ${size};\n")
  return()
endif()

set(EMBED_SCRIPT ${CMAKE_CURRENT_LIST_FILE})
function(embed TARGET)
  foreach(file ${ARGN})
    get_filename_component(stem ${file} NAME_WLE)
    string(MAKE_C_IDENTIFIER ${stem} name)
    set(out ${CMAKE_BINARY_DIR}/embedded/${TARGET}/${name}.c)
    add_custom_command(OUTPUT ${out} DEPENDS ${file} ${EMBED_SCRIPT}
      COMMAND ${CMAKE_COMMAND} -DIN=${file} -DOUT=${out} -DNAME=${name} -P ${EMBED_SCRIPT}
      COMMENT "Embedding ${stem}")
    target_sources(${TARGET} PRIVATE ${out})
  endforeach()
endfunction()
