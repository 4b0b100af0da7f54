# greenroom_flags: compile and link options of this tree. Nothing is set globally; each target links to it privately.
include(CheckPIESupported)
check_pie_supported(LANGUAGES C)

if(NOT GR_SANITIZE MATCHES "^(|address|thread)$")
  message(FATAL_ERROR "GR_SANITIZE is '${GR_SANITIZE}', wanted '', 'address' or 'thread'")
endif()
if(GR_FUZZ AND NOT CMAKE_C_COMPILER_ID STREQUAL "Clang")
  message(FATAL_ERROR "GR_FUZZ needs clang (CC=clang), the compiler is ${CMAKE_C_COMPILER_ID}")
endif()

# Options that some compilers or processors do not support.
include(CheckCCompilerFlag)
set(gr_hardening)
foreach(flag IN ITEMS -fstack-clash-protection -fcf-protection -mbranch-protection=standard)
  string(MAKE_C_IDENTIFIER "GR_HAS${flag}" has)
  check_c_compiler_flag(${flag} ${has})
  if(${has})
    list(APPEND gr_hardening ${flag})
  endif()
endforeach()

add_library(greenroom_flags INTERFACE)
set_target_properties(greenroom_flags PROPERTIES INTERFACE_POSITION_INDEPENDENT_CODE ON)
target_compile_definitions(greenroom_flags INTERFACE _GNU_SOURCE)
target_compile_options(greenroom_flags INTERFACE
  -std=gnu11
  -fvisibility=hidden
  -fstack-protector-strong
  ${gr_hardening}
  -Wall
  -Wextra
  -Wpedantic
  -Wshadow
  -Wconversion
  -Wstrict-prototypes
  -Wmissing-prototypes
  -Wvla
  -Wformat=2
  -Wundef
  -Wcast-qual
  -Wpointer-arith
  -Wwrite-strings
  $<$<BOOL:${GR_WERROR}>:-Werror>)
target_link_options(greenroom_flags INTERFACE
  LINKER:-z,relro
  LINKER:-z,now
  LINKER:-z,noexecstack
  LINKER:--as-needed)

# Fortified calls would hide errors from the sanitizers.
if(NOT GR_SANITIZE AND NOT GR_FUZZ)
  target_compile_options(greenroom_flags INTERFACE
    $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-U_FORTIFY_SOURCE>
    $<$<CONFIG:Release,RelWithDebInfo,MinSizeRel>:-D_FORTIFY_SOURCE=3>)
endif()

set(gr_sanitizers)
if(GR_SANITIZE STREQUAL "address")
  list(APPEND gr_sanitizers -fsanitize=address,undefined)
elseif(GR_SANITIZE STREQUAL "thread")
  list(APPEND gr_sanitizers -fsanitize=thread)
endif()
if(GR_FUZZ)
  list(APPEND gr_sanitizers -fsanitize=fuzzer-no-link)
endif()
if(gr_sanitizers)
  target_compile_options(greenroom_flags INTERFACE
    ${gr_sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_compile_definitions(greenroom_flags INTERFACE GRC_SANITIZED)
  target_link_options(greenroom_flags INTERFACE ${gr_sanitizers})
endif()
