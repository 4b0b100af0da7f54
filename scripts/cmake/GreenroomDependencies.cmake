# The libraries of the host as imported targets; their headers count as system headers.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(CURL REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(LIBJWT REQUIRED IMPORTED_TARGET libjwt)
pkg_check_modules(LIBCRYPTO REQUIRED IMPORTED_TARGET libcrypto)
pkg_check_modules(LIBSSL REQUIRED IMPORTED_TARGET libssl)
pkg_check_modules(LIBCRYPT REQUIRED IMPORTED_TARGET libcrypt)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(SQLITE3 REQUIRED IMPORTED_TARGET sqlite3)
pkg_check_modules(LIBPQ REQUIRED IMPORTED_TARGET libpq)

# gr_library_loaded(TARGET FILE PACKAGE): an imported target with the headers of the library that pkg_check_modules(PACKAGE) has found,
# for programs that load it when they need it (core/base/library.h). The macro FILE is the name that a program linked with the
# library would load.
function(gr_library_loaded target file package)
  set(library ${${package}_LINK_LIBRARIES})
  execute_process(COMMAND ${CMAKE_READELF} -d ${library} OUTPUT_VARIABLE entries ERROR_VARIABLE problem)
  if(NOT entries MATCHES "\\(SONAME\\)[^\n]*\\[([^]\n]+)\\]")
    message(FATAL_ERROR "no SONAME was found in '${library}': ${problem}")
  endif()
  add_library(${target} INTERFACE IMPORTED)
  target_include_directories(${target} SYSTEM INTERFACE ${${package}_INCLUDE_DIRS})
  target_compile_definitions(${target} INTERFACE ${file}="${CMAKE_MATCH_1}")
endfunction()
gr_library_loaded(libcurl::headers GRC_LIBCURL CURL)
gr_library_loaded(libpq::headers GRC_LIBPQ LIBPQ)

# Only its headers: the program loads the library when the config asks for it (core/redis/library.c).
pkg_check_modules(HIREDIS REQUIRED hiredis)
add_library(hiredis::headers INTERFACE IMPORTED)
find_path(HIREDIS_INCLUDE_DIR hiredis/hiredis.h HINTS ${HIREDIS_INCLUDE_DIRS} REQUIRED)
target_include_directories(hiredis::headers SYSTEM INTERFACE ${HIREDIS_INCLUDE_DIR})

# Debian's civetweb has no pkg-config file.
find_path(CIVETWEB_INCLUDE_DIR civetweb.h)
find_library(CIVETWEB_LIBRARY civetweb)
if(NOT CIVETWEB_INCLUDE_DIR OR NOT CIVETWEB_LIBRARY)
  message(FATAL_ERROR "civetweb was not found: install libcivetweb-dev or run scripts/bootstrap")
endif()
add_library(civetweb::civetweb UNKNOWN IMPORTED)
set_target_properties(civetweb::civetweb PROPERTIES
  IMPORTED_LOCATION ${CIVETWEB_LIBRARY}
  INTERFACE_INCLUDE_DIRECTORIES ${CIVETWEB_INCLUDE_DIR})
