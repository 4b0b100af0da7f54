# Where things go on an installed system. Paths are relative to the prefix where they can be, so that
# `cmake --install --prefix` and DESTDIR both work; `/usr` keeps its configuration in `/etc`.
include(GNUInstallDirs)

set(GR_PLUGINDIR ${CMAKE_INSTALL_LIBDIR}/greenroom/plugins CACHE STRING "Directory of the plugins")

cmake_path(IS_PREFIX CMAKE_INSTALL_PREFIX "${CMAKE_INSTALL_FULL_SYSCONFDIR}" NORMALIZE gr_sysconf_inside)
if(gr_sysconf_inside)
  set(gr_confdir ${CMAKE_INSTALL_SYSCONFDIR}/greenroom)
else()
  set(gr_confdir ${CMAKE_INSTALL_FULL_SYSCONFDIR}/greenroom)
endif()
set(GR_CONFDIR ${gr_confdir} CACHE STRING "Directory of the configuration")

cmake_path(ABSOLUTE_PATH GR_PLUGINDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE GR_FULL_PLUGINDIR)
set(GR_TLSDIR ${CMAKE_INSTALL_LIBDIR}/greenroom/tls)
cmake_path(ABSOLUTE_PATH GR_TLSDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE GR_FULL_TLSDIR)
cmake_path(ABSOLUTE_PATH GR_CONFDIR BASE_DIRECTORY ${CMAKE_INSTALL_PREFIX} OUTPUT_VARIABLE GR_FULL_CONFDIR)
