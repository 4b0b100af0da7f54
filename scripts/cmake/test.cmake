# cmake -C scripts/cmake/test.cmake: an optimised build with assertions, in which warnings are errors.
set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g" CACHE STRING "")
set(GR_WERROR ON CACHE BOOL "")
