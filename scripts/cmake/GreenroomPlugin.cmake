# gr_add_plugin(NAME [source...] [DIR dir] [LIBS lib...] [NO_INSTALL])
#
# Builds NAME.so, a Greenroom plugin. This is the function that the bundled plugins use, and it is installed for yours.
#   source      sources, relative to DIR; without any, DIR/NAME.c
#   DIR         the directory that the sources and their own headers stand in, relative to the current one
#   LIBS        libraries the plugin needs besides jansson
#   NO_INSTALL  build only; there is then no GR_PLUGIN_<NAME> option either
# The target is called plugin_NAME. -DGR_PLUGIN_<NAME>=OFF leaves the plugin out of the build.
# GR_PLUGIN_OUTPUT_DIR says where the .so is put (default: the current binary directory),
# GREENROOM_PLUGIN_INSTALL_DIR where it is installed (default: where the installed Greenroom looks).
function(gr_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "NO_INSTALL" "DIR" "LIBS")
  if(NOT name MATCHES "^[a-z][a-z0-9_]*$")
    message(FATAL_ERROR "gr_add_plugin: '${name}' is not a plugin name (a-z, 0-9 and _, a letter first)")
  endif()

  if(NOT arg_NO_INSTALL)
    string(TOUPPER ${name} upper)
    option(GR_PLUGIN_${upper} "Build the ${name} plugin" ON)
    if(NOT GR_PLUGIN_${upper})
      return()
    endif()
  endif()

  set(dir ${CMAKE_CURRENT_SOURCE_DIR})
  if(arg_DIR)
    cmake_path(ABSOLUTE_PATH arg_DIR BASE_DIRECTORY ${dir} NORMALIZE OUTPUT_VARIABLE dir)
  endif()
  set(sources ${arg_UNPARSED_ARGUMENTS})
  if(NOT sources)
    set(sources ${name}.c)
  endif()
  list(TRANSFORM sources PREPEND ${dir}/ REGEX "^[^/$]")

  if(NOT TARGET PkgConfig::JANSSON)
    find_package(PkgConfig REQUIRED)
    pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
  endif()
  set(output ${CMAKE_CURRENT_BINARY_DIR})
  if(GR_PLUGIN_OUTPUT_DIR)
    set(output ${GR_PLUGIN_OUTPUT_DIR})
  endif()

  set(target plugin_${name})
  add_library(${target} MODULE ${sources})
  set_target_properties(${target} PROPERTIES
    OUTPUT_NAME ${name}
    PREFIX ""
    SUFFIX .so
    LIBRARY_OUTPUT_DIRECTORY ${output}
    C_STANDARD 11
    C_VISIBILITY_PRESET hidden)
  target_include_directories(${target} PRIVATE ${dir})
  target_link_libraries(${target} PRIVATE
    greenroom::plugin ${arg_LIBS} PkgConfig::JANSSON $<TARGET_NAME_IF_EXISTS:greenroom_flags>)
  target_link_options(${target} PRIVATE LINKER:--as-needed)
  # A plugin resolves everything by itself. The sanitizer runtime, though, may come from the program that loads it.
  if(NOT GR_SANITIZE AND NOT GR_FUZZ AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()

  if(NOT arg_NO_INSTALL)
    install(TARGETS ${target} LIBRARY DESTINATION ${GREENROOM_PLUGIN_INSTALL_DIR} COMPONENT plugins)
  endif()
endfunction()
