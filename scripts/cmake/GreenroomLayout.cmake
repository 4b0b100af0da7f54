# Directories of an installation. The paths are relative to the prefix, so that `cmake --install --prefix` and DESTDIR work
# without configuring again. The program finds them relative to itself (core/base/place.h); gr_place_below() in
# greenroom-place.cmake has the same rule for files that are written at install time.
include(GNUInstallDirs)

set(GR_PLUGINDIR ${CMAKE_INSTALL_LIBDIR}/greenroom/plugins CACHE STRING "Directory of the plugins")
set(GR_CONFDIR ${CMAKE_INSTALL_SYSCONFDIR}/greenroom CACHE STRING "Directory of the configuration")
set(GR_DATADIR ${CMAKE_INSTALL_DATADIR}/greenroom)
