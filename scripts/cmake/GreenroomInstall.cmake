# Installation of everything besides the binary, the plugins and the headers. Components: runtime, plugins, sandbox, dev.
include(CMakePackageConfigHelpers)

# The ABI version is read from plugin.h.
set(GR_ABI_VERSION "")
set(gr_plugin_h ${PROJECT_SOURCE_DIR}/include/greenroom/plugin.h)
if(EXISTS ${gr_plugin_h})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${gr_plugin_h})
  foreach(part MAJOR MINOR)
    file(STRINGS ${gr_plugin_h} line REGEX "^#define GR_ABI_${part} +[0-9]+")
    if(NOT line MATCHES "GR_ABI_${part} +([0-9]+)")
      message(FATAL_ERROR "plugin.h does not define GR_ABI_${part}")
    endif()
    list(APPEND GR_ABI_VERSION ${CMAKE_MATCH_1})
  endforeach()
  list(JOIN GR_ABI_VERSION "." GR_ABI_VERSION)
endif()

set(gr_cmakedir ${CMAKE_INSTALL_LIBDIR}/cmake/greenroom)
set(gr_generated ${PROJECT_BINARY_DIR}/install)
configure_package_config_file(scripts/cmake/greenroom-config.cmake.in ${gr_generated}/greenroom-config.cmake
  INSTALL_DESTINATION ${gr_cmakedir})
write_basic_package_version_file(${gr_generated}/greenroom-config-version.cmake
  COMPATIBILITY SameMinorVersion
  ARCH_INDEPENDENT)
install(EXPORT greenroom
  FILE greenroom-targets.cmake
  NAMESPACE greenroom::
  DESTINATION ${gr_cmakedir}
  COMPONENT dev)
install(
  FILES
    ${gr_generated}/greenroom-config.cmake
    ${gr_generated}/greenroom-config-version.cmake
    ${PROJECT_SOURCE_DIR}/scripts/cmake/GreenroomPlugin.cmake
    ${PROJECT_SOURCE_DIR}/scripts/cmake/greenroom-place.cmake
  DESTINATION ${gr_cmakedir}
  COMPONENT dev)

# Files that depend on the prefix are written at install time.
foreach(part IN ITEMS runtime dev)
  install(CODE "
    set(gr_part ${part})
    set(gr_source \"${PROJECT_SOURCE_DIR}\")
    set(gr_generated \"${gr_generated}\")
    set(gr_confdir \"${GR_CONFDIR}\")
    set(gr_plugindir \"${GR_PLUGINDIR}\")
    set(gr_includedir \"${CMAKE_INSTALL_INCLUDEDIR}\")
    set(gr_pcdir \"${CMAKE_INSTALL_LIBDIR}/pkgconfig\")
    set(gr_version \"${PROJECT_VERSION}\")
    set(gr_abi_version \"${GR_ABI_VERSION}\")"
    COMPONENT ${part})
  install(SCRIPT scripts/cmake/install-files.cmake COMPONENT ${part})
endforeach()

install(PROGRAMS scripts/new-plugin
  DESTINATION ${CMAKE_INSTALL_BINDIR}
  RENAME greenroom-new-plugin
  COMPONENT dev)
# Its man page is made of its --help.
set(gr_new_plugin ${PROJECT_SOURCE_DIR}/scripts/new-plugin)
set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${gr_new_plugin})
execute_process(COMMAND ${gr_new_plugin} --help OUTPUT_VARIABLE gr_usage COMMAND_ERROR_IS_FATAL ANY)
string(REPLACE "new-plugin" "greenroom-new-plugin" gr_usage "${gr_usage}")
string(REPLACE "-" "\\-" gr_usage "${gr_usage}")
file(CONFIGURE
  OUTPUT ${gr_generated}/greenroom-new-plugin.1
  CONTENT ".TH greenroom\\-new\\-plugin 1 \"\" \"greenroom @PROJECT_VERSION@\" \"Greenroom\"
.SH NAME
greenroom\\-new\\-plugin \\- creates a directory with a new plugin for greenroom(8)
.SH DESCRIPTION
.nf
@gr_usage@.fi
.SH SEE ALSO
.BR greenroom\\-plugin (7)
"
  @ONLY)
install(FILES ${gr_generated}/greenroom-new-plugin.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT dev)
# The examples, with their cases: greenroom-new-plugin begins with one of them.
install(DIRECTORY plugins/hello plugins/profiles DESTINATION ${CMAKE_INSTALL_DATADIR}/greenroom/examples COMPONENT dev)

# The unchanged samples are installed as documentation, so that operators can compare them after an upgrade.
# `greenroom dev` uses a copy in which all groups are enabled.
install(DIRECTORY etc DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(DIRECTORY etc/
  DESTINATION ${GR_DATADIR}/dev
  COMPONENT sandbox
  FILES_MATCHING PATTERN "*.json"
  PATTERN container EXCLUDE)

install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(FILES plugins/README.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR}
  RENAME plugins.md
  COMPONENT dev
  OPTIONAL)
install(FILES plugins/SERVICES.md DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT dev)
