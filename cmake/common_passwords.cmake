# The list of passwords that are refused: made at build time from the frequency lists of the package python3-zxcvbn.
find_package(Python3 REQUIRED COMPONENTS Interpreter)
find_file(PENSTOCK_PASSWORD_LISTS zxcvbn/frequency_lists.py PATHS /usr/lib/python3/dist-packages NO_DEFAULT_PATH
  DOC "frequency_lists.py of zxcvbn")
if(NOT PENSTOCK_PASSWORD_LISTS)
  message(FATAL_ERROR "zxcvbn/frequency_lists.py was not found: install python3-zxcvbn, or set PENSTOCK_PASSWORD_LISTS")
endif()

function(embed_common_passwords TARGET)
  set(list ${CMAKE_BINARY_DIR}/embedded/common_passwords.bin)
  add_custom_command(OUTPUT ${list} DEPENDS ${PENSTOCK_PASSWORD_LISTS} ${CMAKE_SOURCE_DIR}/tools/common_passwords.py
    COMMAND ${Python3_EXECUTABLE} ${CMAKE_SOURCE_DIR}/tools/common_passwords.py ${PENSTOCK_PASSWORD_LISTS} ${list}
    COMMENT "Gathering common passwords")
  embed(${TARGET} ${list})
endfunction()
