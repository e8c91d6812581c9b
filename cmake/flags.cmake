# Compiler flags: the dialect, the warnings, hardening, and what each preset adds.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

option(PENSTOCK_WERROR "Warnings are errors" ON)
set(PENSTOCK_SANITIZE "" CACHE STRING "Value for -fsanitize=")
option(PENSTOCK_COVERAGE "Instrument for gcov" OFF)
option(PENSTOCK_FUZZ "Build the libFuzzer harnesses (clang)" OFF)

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
  -Wvla -Wwrite-strings -Wpointer-arith -Wundef -Wformat=2 -fno-common -fstack-protector-strong)
if(PENSTOCK_WERROR)
  add_compile_options(-Werror)
endif()
# Banned functions do not compile.
add_compile_options(-include ${CMAKE_SOURCE_DIR}/src/base/banned.h)
add_compile_definitions(_GNU_SOURCE)

if(CMAKE_BUILD_TYPE STREQUAL "Release")
  add_compile_options(-O2 -g1 -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fno-plt -ffunction-sections -fdata-sections)
  set(CMAKE_C_FLAGS_RELEASE "")
  set(CMAKE_INTERPROCEDURAL_OPTIMIZATION ON)
  # The tests link the rooms' objects as they are: some two hundred whole-program optimisations would be waited for otherwise.
  add_compile_options($<$<C_COMPILER_ID:GNU>:-ffat-lto-objects>)
  # Without this gcc's linker plugin takes the other half of such an object whatever a target says.
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    set(PENSTOCK_LINK_AS_IT_IS -fno-lto)
  endif()
  add_link_options(-Wl,--gc-sections -Wl,--as-needed)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    add_compile_options(-fstack-clash-protection -fcf-protection=full)
  endif()
endif()
add_link_options(-pie -Wl,-z,relro,-z,now,-z,noexecstack)

if(PENSTOCK_SANITIZE)
  add_compile_options(-fsanitize=${PENSTOCK_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${PENSTOCK_SANITIZE})
endif()
if(PENSTOCK_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link) # so that the fuzzer sees which branches of the rooms it has reached
endif()
if(PENSTOCK_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
