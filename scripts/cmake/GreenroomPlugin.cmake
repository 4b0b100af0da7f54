# gr_add_plugin(NAME [source...] [DIR dir] [LIBS lib...] [NO_INSTALL])
#
# Builds NAME.so, a Greenroom plugin. The bundled plugins use this function, and it is installed for other plugins.
#   source      sources, relative to DIR; without any, DIR/NAME.c
#   DIR         directory of the sources and their headers, relative to the current one
#   LIBS        libraries of the plugin besides jansson
#   NO_INSTALL  build only, without an option GR_PLUGIN_<NAME>
# The target is plugin_NAME. -DGR_PLUGIN_<NAME>=OFF excludes the plugin from the build.
# GR_PLUGIN_OUTPUT_DIR is the directory of the .so (default: the current binary directory),
# GREENROOM_PLUGIN_INSTALL_DIR the one for its installation (default: the plugin directory of the installed Greenroom).
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
  # A plugin must not have undefined symbols, except those of a sanitizer runtime, which are in the program.
  if(NOT GR_SANITIZE AND NOT GR_FUZZ AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize")
    target_link_options(${target} PRIVATE LINKER:-z,defs)
  endif()

  if(NOT arg_NO_INSTALL)
    install(TARGETS ${target} LIBRARY DESTINATION ${GREENROOM_PLUGIN_INSTALL_DIR} COMPONENT plugins)
  endif()
endfunction()
