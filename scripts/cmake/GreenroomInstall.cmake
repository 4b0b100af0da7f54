# What `cmake --install` does besides the binary, the plugins and the headers. Components: runtime, plugins, dev.
include(CMakePackageConfigHelpers)

# The ABI version stands in plugin.h, where authors read it; packages repeat it.
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
  INSTALL_DESTINATION ${gr_cmakedir}
  PATH_VARS GR_PLUGINDIR GR_CONFDIR)
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
  DESTINATION ${gr_cmakedir}
  COMPONENT dev)

# pkg-config finds the prefix from where its file stands, so a moved or staged tree still works.
set(gr_pcdir ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
set(gr_pc_prefix ${CMAKE_INSTALL_PREFIX})
if(NOT IS_ABSOLUTE ${gr_pcdir})
  file(RELATIVE_PATH gr_up /${gr_pcdir} /)
  string(REGEX REPLACE "/$" "" gr_up ${gr_up})
  set(gr_pc_prefix "\${pcfiledir}/${gr_up}")
endif()
foreach(dir PLUGINDIR CONFDIR)
  set(gr_pc_${dir} ${GR_${dir}})
  if(NOT IS_ABSOLUTE ${GR_${dir}})
    set(gr_pc_${dir} "\${prefix}/${GR_${dir}}")
  endif()
endforeach()
configure_file(scripts/cmake/greenroom.pc.in ${gr_generated}/greenroom.pc @ONLY)
install(FILES ${gr_generated}/greenroom.pc DESTINATION ${gr_pcdir} COMPONENT dev)

install(PROGRAMS scripts/new-plugin
  DESTINATION ${CMAKE_INSTALL_BINDIR}
  RENAME greenroom-new-plugin
  COMPONENT dev)
install(FILES plugins/hello/hello.c DESTINATION ${CMAKE_INSTALL_DATADIR}/greenroom COMPONENT dev)

# An operator's edited files stay as they are: a sample is only put where there is no file yet. The pristine ones are
# always among the docs, so that an upgrade can be compared with them.
install(CODE "set(gr_etc \"${PROJECT_SOURCE_DIR}/etc\")\nset(gr_confdir \"${GR_CONFDIR}\")" COMPONENT runtime)
install(SCRIPT scripts/cmake/install-etc.cmake COMPONENT runtime)
install(DIRECTORY etc DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime OPTIONAL)
configure_file(etc/greenroom.service.in ${gr_generated}/greenroom.service @ONLY)
install(FILES ${gr_generated}/greenroom.service DESTINATION lib/systemd/system COMPONENT runtime)

install(FILES README.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR} COMPONENT runtime)
install(FILES plugins/README.md
  DESTINATION ${CMAKE_INSTALL_DOCDIR}
  RENAME plugins.md
  COMPONENT dev
  OPTIONAL)
