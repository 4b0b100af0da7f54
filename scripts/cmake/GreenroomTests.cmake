# Functions that register tests with CTest. A test has the name KIND.NAME and its kind as a label: unit, contract,
# integration, abi, fuzz, bench, check or roots.
#
# The environment of tests has GR_SOURCE_DIR, GR_BUILD_DIR, GR_BINARY (the greenroom to run), GR_PLUGIN_DIR, GR_SANITIZE
# ("", address, thread) and GR_TIME_FACTOR (factor for time limits in this build; scripts/test knows the load of the machine).
pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)

set(GR_LOAD_FACTOR 1 CACHE STRING "Multiplies the time limits of tests, for a machine that is busy with other work")
set(GR_TIME_FACTOR ${GR_LOAD_FACTOR})
if(GR_SANITIZE OR CMAKE_CROSSCOMPILING) # an emulator is about as slow as a sanitizer
  math(EXPR GR_TIME_FACTOR "4 * ${GR_LOAD_FACTOR}")
endif()

# _gr_test_properties(TEST LABEL SECONDS): properties of all kinds of tests.
function(_gr_test_properties test label seconds)
  math(EXPR seconds "${seconds} * ${GR_TIME_FACTOR}")
  set(env
    GR_SOURCE_DIR=${PROJECT_SOURCE_DIR}
    GR_BUILD_DIR=${PROJECT_BINARY_DIR}
    GR_BINARY=${PROJECT_BINARY_DIR}/greenroom
    GR_PLUGIN_DIR=${PROJECT_BINARY_DIR}/plugins
    GR_SANITIZE=${GR_SANITIZE}
    GR_TIME_FACTOR=${GR_TIME_FACTOR}
    PYTHONDONTWRITEBYTECODE=1
    PYTHONPATH=${PROJECT_SOURCE_DIR}/tests
    ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:check_initialization_order=1:detect_stack_use_after_return=0
    UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1
    TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1)
  set_tests_properties(${test} PROPERTIES
    LABELS ${label}
    TIMEOUT ${seconds}
    SKIP_RETURN_CODE 77
    ENVIRONMENT "${env}")
endfunction()

# gr_unit_test(NAME [source...] [LIBS lib...] [TIMEOUT seconds])
# A cmocka program linked with greenroom_core; without sources, unit/test_NAME.c.
function(gr_unit_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "TIMEOUT" "LIBS")
  set(sources ${arg_UNPARSED_ARGUMENTS})
  if(NOT sources)
    set(sources unit/test_${name}.c)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 60)
  endif()
  add_executable(test_${name} ${sources})
  set_target_properties(test_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/unit)
  target_include_directories(test_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(test_${name} PRIVATE greenroom_core ${arg_LIBS} PkgConfig::CMOCKA greenroom_flags)
  add_test(NAME unit.${name} COMMAND test_${name} WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  _gr_test_properties(unit.${name} unit ${arg_TIMEOUT})
endfunction()

# gr_postgres_test(NAME)
# Registers the program of gr_unit_test(NAME) again, with the argument "postgres" and a separate PostgreSQL server.
function(gr_postgres_test name)
  set(test unit.${name}_postgres)
  add_test(NAME ${test}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/support/postgres.sh run -- $<TARGET_FILE:test_${name}> postgres
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  _gr_test_properties(${test} unit 120)
endfunction()

# gr_pytest(NAME path [LABEL kind] [TIMEOUT seconds] [SERIAL] [ISOLATED] [ARGS argument...])
# A pytest file. Its kind is its directory, unless LABEL is given. With SERIAL it does not run in parallel with other tests.
# With ISOLATED each group of a gateway runs in a process of its own. ARGS are passed to pytest, so that the cases of a file can be
# registered separately (ARGS -k NAME).
function(gr_pytest name path)
  cmake_parse_arguments(PARSE_ARGV 2 arg "SERIAL;ISOLATED" "LABEL;TIMEOUT" "ARGS")
  if(NOT arg_LABEL)
    string(REGEX REPLACE "/.*" "" arg_LABEL ${path})
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(test ${arg_LABEL}.${name})
  add_test(NAME ${test}
    COMMAND ${GR_PYTHON} -m pytest -q -p no:cacheprovider ${CMAKE_CURRENT_SOURCE_DIR}/${path} ${arg_ARGS}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  _gr_test_properties(${test} ${arg_LABEL} ${arg_TIMEOUT})
  if(arg_ISOLATED)
    set_property(TEST ${test} APPEND PROPERTY ENVIRONMENT GR_TEST_ISOLATION=process)
  endif()
  # A file counts as skipped when all its tests were skipped.
  set_tests_properties(${test} PROPERTIES
    RUN_SERIAL ${arg_SERIAL}
    SKIP_REGULAR_EXPRESSION "(^|\n)[0-9]+ skipped(, [0-9]+ warnings?)? in ")
endfunction()

# gr_postgres_pytest(NAME path...)
# Registers files of gr_pytest again as one test, with a separate PostgreSQL server in GR_TEST_POSTGRES.
function(gr_postgres_pytest name)
  set(test integration.${name}_postgres)
  list(TRANSFORM ARGN PREPEND ${CMAKE_CURRENT_SOURCE_DIR}/ OUTPUT_VARIABLE files)
  add_test(NAME ${test}
    COMMAND ${PROJECT_SOURCE_DIR}/tests/support/postgres.sh run --
      ${GR_PYTHON} -m pytest -q -p no:cacheprovider ${files}
    WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
  _gr_test_properties(${test} integration 240)
endfunction()

# gr_script_test(NAME LABEL kind [TIMEOUT seconds] COMMAND command...)
# A program whose exit status is the result. Sanitizer builds do not run it, because it checks files.
function(gr_script_test name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "LABEL;TIMEOUT" "COMMAND")
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 300)
  endif()
  if(GR_SANITIZE OR GR_FUZZ)
    return()
  endif()
  add_test(NAME ${arg_LABEL}.${name} COMMAND ${arg_COMMAND} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  _gr_test_properties(${arg_LABEL}.${name} ${arg_LABEL} ${arg_TIMEOUT})
endfunction()

# gr_test_plugin(NAME source...)
# A plugin for tests, usually one that must be refused: build/tests/plugins/NAME.so.
function(gr_test_plugin name)
  set(GR_PLUGIN_OUTPUT_DIR ${PROJECT_BINARY_DIR}/tests/plugins)
  gr_add_plugin(${name} ${ARGN} NO_INSTALL)
endfunction()

# gr_fuzz_test(NAME [source...])
# A libFuzzer target (LLVMFuzzerTestOneInput); without sources, fuzz/fuzz_NAME.c. In every build CTest replays the inputs of
# fuzz/corpus/NAME (seeds) and fuzz/regression/NAME (inputs that failed once, or are close to such inputs). A GR_FUZZ build makes a fuzzer of the
# same source.
function(gr_fuzz_test name)
  set(sources ${ARGN})
  if(NOT sources)
    set(sources fuzz/fuzz_${name}.c)
  endif()
  if(NOT GR_FUZZ)
    list(APPEND sources fuzz/replay.c)
  endif()
  add_executable(fuzz_${name} ${sources})
  set_target_properties(fuzz_${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/fuzz)
  target_include_directories(fuzz_${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_link_libraries(fuzz_${name} PRIVATE greenroom_core greenroom_flags)
  set(replay)
  if(GR_FUZZ)
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    set(replay -runs=0)
  endif()
  add_test(NAME fuzz.${name}
    COMMAND fuzz_${name} ${replay}
      ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/corpus/${name}
      ${CMAKE_CURRENT_SOURCE_DIR}/fuzz/regression/${name})
  _gr_test_properties(fuzz.${name} fuzz 120)
endfunction()
